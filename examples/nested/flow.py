from metaflow import FlowSpec, Parameter, step


class NestedFlow(FlowSpec):
    """Works out the profit of every shop: a foreach over regions, their shops, and the days of each shop.

    In each shop one branch goes through the days' sales while another adds up the wages.
    """

    margin = Parameter("margin", default=0.4, help="The share of sales that is not for goods.")

    wage = 15

    @step
    def start(self):
        """Open the books."""
        self.books = {
            "north": {"Bergen": [910, 1240, 1105], "Oslo": [1450, 980]},
            "south": {"Porto": [700, 1310]},
        }
        self.regions = sorted(self.books)
        self.next(self.region, foreach="regions")

    @step
    def region(self):
        """Find the shops of a region."""
        self.area = self.input
        self.shops = sorted(self.books[self.area])
        self.next(self.shop, foreach="shops")

    @step
    def shop(self):
        """Look at a shop from two sides."""
        self.town = self.input
        self.sales = self.books[self.area][self.town]
        self.next(self.days, self.wages)

    @step
    def days(self):
        """Go through the days on which the shop was open."""
        self.next(self.day, foreach="sales")

    @step
    def day(self):
        """Take from a day's sales what the goods cost."""
        self.place = [(index, count) for index, count, _ in self.foreach_stack()]
        self.left = round(self.input * self.margin)
        self.next(self.week)

    @step
    def week(self, inputs):
        """Add the days up."""
        self.by_day = [day.left for day in inputs]
        self.places = [day.place for day in inputs]
        self.next(self.profit)

    @step
    def wages(self):
        """Two people work for eight hours on each day."""
        self.paid = len(self.sales) * 2 * 8 * self.wage
        self.next(self.profit)

    @step
    def profit(self, inputs):
        """Compare both sides."""
        self.amount = sum(inputs.week.by_day) - inputs.wages.paid
        self.merge_artifacts(inputs, include=["town", "places"])
        self.next(self.region_total)

    @step
    def region_total(self, inputs):
        """List the shops of a region."""
        self.profits = {shop.town: shop.amount for shop in inputs}
        self.places = [place for shop in inputs for place in shop.places]
        self.next(self.total)

    @step
    def total(self, inputs):
        """List all shops."""
        self.profits = {}
        for region in inputs:
            self.profits.update(region.profits)
        self.places = [place for region in inputs for place in region.places]
        self.next(self.end)

    @step
    def end(self):
        """Print the best and the worst shop."""
        ranking = sorted(self.profits, key=self.profits.get, reverse=True)
        for shop in ranking:
            print("%-8s %6d" % (shop, self.profits[shop]))


if __name__ == "__main__":
    NestedFlow()
