from metaflow import FlowSpec, Parameter, resources, step


class ModelSelectionFlow(FlowSpec):
    """Trains several classifiers on the same data and keeps the best one."""

    seed = Parameter("seed", default=7, help="Seeds the split and the models.")
    folds = Parameter("folds", default=5, help="Folds of the cross-validation.")

    @step
    def start(self):
        """Load the data, set a part aside, name the candidates."""
        from sklearn.datasets import load_breast_cancer
        from sklearn.model_selection import train_test_split

        data = load_breast_cancer()
        self.x_train, self.x_test, self.y_train, self.y_test = train_test_split(
            data.data, data.target, test_size=0.25, random_state=self.seed, stratify=data.target
        )
        self.candidates = ["logistic", "forest", "neighbours", "bayes"]
        print("%d rows to train on, %d to test" % (len(self.x_train), len(self.x_test)))
        self.next(self.train, foreach="candidates")

    @resources(memory=2048)
    @step
    def train(self):
        """Cross-validate one candidate and fit it on all rows to train on."""
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_score
        from sklearn.naive_bayes import GaussianNB
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.candidate = self.input
        self.model = {
            "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
            "forest": RandomForestClassifier(n_estimators=60, random_state=self.seed),
            "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(5)),
            "bayes": GaussianNB(),
        }[self.candidate]
        scores = cross_val_score(self.model, self.x_train, self.y_train, cv=self.folds)
        self.score = float(scores.mean())
        self.model.fit(self.x_train, self.y_train)
        print("%s: %.4f" % (self.candidate, self.score))
        self.next(self.select)

    @step
    def select(self, inputs):
        """Keep the candidate with the best score."""
        best = max(inputs, key=lambda task: task.score)
        self.scores = {task.candidate: task.score for task in inputs}
        self.winner = best.candidate
        self.model = best.model
        self.merge_artifacts(inputs, include=["x_test", "y_test"])
        self.next(self.evaluate)

    @step
    def evaluate(self):
        """See how it does on the rows that no model has seen."""
        from sklearn.metrics import confusion_matrix

        predicted = self.model.predict(self.x_test)
        self.accuracy = float((predicted == self.y_test).mean())
        self.confusion = confusion_matrix(self.y_test, predicted)
        self.next(self.end)

    @step
    def end(self):
        """Report."""
        for candidate in sorted(self.scores, key=self.scores.get, reverse=True):
            print("%-10s %.4f" % (candidate, self.scores[candidate]))
        print("%s is right for %.1f %% of the unseen rows" % (self.winner, 100 * self.accuracy))


if __name__ == "__main__":
    ModelSelectionFlow()
