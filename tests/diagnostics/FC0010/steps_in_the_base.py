from metaflow import step

from company.flows import Base


class Train(Base):
#           ^^^^ FC0010 `company.flows.Base` may hold steps and parameters that flowc does not see
    @step
    def train(self):
        self.next(self.score)


if __name__ == "__main__":
    Train()
