import csv
import os
import statistics

from metaflow import FlowSpec, Parameter, step

# Beside this file here; in a container the flow's folder is the root of the package.
CSV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "penguins.csv")

MEASURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")


class StatisticsFlow(FlowSpec):
    """Summarises the Palmer penguins, one task per species."""

    measure = Parameter(
        "measure",
        default="body_mass_g",
        help="The column by which the species are ranked.",
    )

    @step
    def start(self):
        """Read the table and find the groups."""
        if self.measure not in MEASURES:
            raise ValueError("measure must be one of %s" % ", ".join(MEASURES))
        with open(CSV, newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.species = sorted({row["species"] for row in self.rows})
        print("%d penguins of %d species" % (len(self.rows), len(self.species)))
        self.next(self.summarise, foreach="species")

    @step
    def summarise(self):
        """Summarise one species; measurements that are missing (`NA`) are left out."""
        self.group = self.input
        mine = [row for row in self.rows if row["species"] == self.group]
        self.summary = {}
        for measure in MEASURES:
            values = [float(row[measure]) for row in mine if row[measure] != "NA"]
            self.summary[measure] = {
                "count": len(values),
                "mean": statistics.mean(values),
                "median": statistics.median(values),
                "stdev": statistics.stdev(values),
                "quartiles": statistics.quantiles(values, n=4),
            }
        print("%s: %d of %d measured" % (self.group, len(values), len(mine)))
        self.next(self.rank)

    @step
    def rank(self, inputs):
        """Put the groups side by side, the largest first."""
        self.summaries = {task.group: task.summary for task in inputs}
        self.ranking = sorted(
            self.summaries,
            key=lambda name: self.summaries[name][self.measure]["mean"],
            reverse=True,
        )
        self.next(self.end)

    @step
    def end(self):
        """Print the table."""
        print("%-10s %5s %8s %8s %8s" % (self.measure, "n", "mean", "median", "stdev"))
        for name in self.ranking:
            row = self.summaries[name][self.measure]
            print(
                "%-10s %5d %8.1f %8.1f %8.1f"
                % (name, row["count"], row["mean"], row["median"], row["stdev"])
            )


if __name__ == "__main__":
    StatisticsFlow()
