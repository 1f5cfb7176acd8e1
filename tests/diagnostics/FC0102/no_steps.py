from metaflow import FlowSpec, Parameter, step


class LinearFlow(FlowSpec):
#     ^^^^^^^^^^ FC0102 no method has `@step`
    limit = Parameter("limit", default=10)

if __name__ == "__main__":
    LinearFlow()
