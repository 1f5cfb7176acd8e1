from metaflow import FlowSpec, JSONType, Parameter, project, schedule, step


@project(name="demo")
@schedule(cron="30 9 ? * MON-FRI *", timezone="Europe/Helsinki")
class ParametersFlow(FlowSpec):
    """Every type of parameter, and texts that templates and YAML readers like to change.

    {{7*7}} {% raw %} {# x #} $(HOME) $$ `id` \\ \"\"\"quotes\"\"\" and a tab\there.
    """

    text = Parameter("text", default="x.json", help='It\'s "quoted": {{ ds }}')
    template = Parameter("template", default="{{ 7 * 7 }}{% raw %}{# x #}")
    shell = Parameter("shell", default="$(id); `id` ${HOME} '; rm -rf /")
    boolean_like = Parameter("boolean_like", default="no")
    number_like = Parameter("number_like", default="1e3")
    octal_like = Parameter("octal_like", default="012")
    clock_like = Parameter("clock_like", default="12:30")
    null_like = Parameter("null_like", default="~")
    letters = Parameter("letters", default="Hyvää päivää, 世界 😀 \u2028 \u202e")
    control = Parameter("control", default="line one\nline two\ttab\x7f")
    whole = Parameter("whole", type=int, default=-5)
    real = Parameter("real", default=0.1)
    flag = Parameter("flag", default=True)
    nothing = Parameter("nothing", default=None)
    free = Parameter("free")
    parts = Parameter("parts", separator=",", default="a,b")
    data = Parameter("data", type=JSONType, default='{"a": [1, null, "no"]}')

    limit = 3

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ParametersFlow()
