//! The one table of codes. A code is for ever; a retired number is not reused.
//!
//! `FC00xx` reading source, `FC01xx` graph rules, `FC02xx` attributes and resources, `FC03xx` lowering and profiles,
//! `FC1xxx` Step Functions, `FC2xxx` Argo, `FC3xxx` Airflow, `FC4xxx` local run, `FC5xxx` deploying.
//! Each has a page `docs/diagnostics/FCnnnn.md` and a failing fixture; a test compares the three lists.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($code:ident $title:literal)*) => {
        /// A diagnostic's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// All codes, ascending.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// As printed, `FC0112`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$code => stringify!($code),)* }
            }

            /// What it is about, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$code => $title,)* }
            }
        }
    };
}

codes! {
    FC0001 "syntax error"
    FC0003 "no flow in the file"
    FC0004 "several flows and none chosen"
    FC0005 "the class asked for is not a flow of this file"
    FC0006 "a form of `self.next` that is not understood"
    FC0007 "`self.next` is not the last statement"
    FC0008 "a form of a switch that is not understood"
    FC0010 "a base class that cannot be read statically"
    FC0011 "a parameter that cannot be read statically"
    FC0012 "a decorator argument that is not a literal"
    FC0013 "unknown decorator"
    FC0014 "a decorator that is not supported yet"
    FC0016 "a parameter type that is not supported"
    FC0017 "a configuration that cannot be read statically"
    FC0019 "a name that flowc's `metaflow` does not provide"
    FC0020 "two steps of the same name"
    FC0021 "`@step` is used wrongly"
    FC0023 "a class body that cannot be read statically"
    FC0024 "unknown option of a parameter"
    FC0025 "base classes that Python cannot order"
    FC0026 "a flow file that fails when Python runs it"
    FC0027 "a flow that is another one each time Python runs its file"
    FC0028 "steps that are others once Python has run the file"
    FC0029 "an included file that cannot be packaged"
    FC0030 "a decorator that has no effect yet"
    FC0031 "a configuration that cannot be part of a bundle"
    FC0033 "a class that only Python can tell"
    FC0034 "a value of a bundle that comes from an environment variable"
    FC0035 "a flow file that takes too much time or memory"

    FC0101 "reserved step name"
    FC0102 "no start step"
    FC0103 "no end step"
    FC0104 "an invalid name"
    FC0105 "a step with too many arguments"
    FC0106 "a step without `self`"
    FC0107 "both a join and a split"
    FC0108 "a step without `self.next`"
    FC0109 "the end step has a transition"
    FC0110 "the end step is a join"
    FC0111 "the start step has an incoming transition"
    FC0112 "a foreach that is never joined"
    FC0113 "a transition to an unknown step"
    FC0114 "a cycle"
    FC0115 "unreachable step"
    FC0116 "a split that is never joined"
    FC0117 "a join that misses branches"
    FC0118 "a join without a split"
    FC0119 "a join of unrelated splits"
    FC0120 "a split that leads straight into a join"
    FC0121 "the same step twice in one transition"
    FC0122 "the start step is a join"
    FC0123 "several transitions into a step that is no join"
    FC0124 "splits nested too deeply"
    FC0125 "a switch that leads straight into a join"
    FC0126 "several first or last steps"
    FC0127 "a gang of a step without `@parallel`"
    FC0128 "a gang that is not joined at once"
    FC0129 "a `@parallel` step that is not started as a gang"

    FC0201 "unknown decorator argument"
    FC0202 "wrong value of a decorator argument"
    FC0203 "missing decorator argument"
    FC0204 "a decorator given twice"
    FC0205 "a decorator in the wrong place"
    FC0206 "too many retries"
    FC0207 "timeout out of range"
    FC0208 "`@catch` on a foreach split"
    FC0209 "reserved parameter name"
    FC0210 "two parameters of the same name"
    FC0211 "a default of the wrong type"
    FC0212 "a separator that cannot split"
    FC0213 "a required parameter where nobody gives a value"
    FC0214 "invalid schedule"
    FC0215 "invalid project or branch name"
    FC0216 "both `@batch` and `@kubernetes`"
    FC0217 "a parameter with the name of one of flowc's options"
    FC0218 "invalid environment variable"
    FC0220 "invalid parameter name"
    FC0221 "invalid source of secrets"
    FC0222 "an exit hook without functions"
    FC0225 "a branch that is said twice"
    FC0226 "a branch without a project"
    FC0227 "invalid trigger"
    FC0228 "a trigger that is said twice"
    FC0229 "a trigger for a parameter that the flow does not have"

    FC0301 "a construct that the target does not support"
    FC0302 "an attribute that the target does not support"
    FC0303 "unknown key in flowc.toml"
    FC0304 "wrong value in flowc.toml"
    FC0305 "unknown profile"
    FC0306 "two names become the same"
    FC0308 "text that the target cannot represent"
    FC0309 "a deployment without a branch"
    FC0311 "a module that is not in the code package"
    FC0312 "a code package that is too large"
    FC0313 "a link that leads out of the flow's folder"
    FC0314 "a bundle folder that belongs to another flow or target"
    FC0315 "a file in the way of a bundle"

    FC1001 "state machine definition too large"
    FC1002 "execution history too long"
    FC2001 "workflow template too large"

    FC4001 "a parameter without a value"
    FC4002 "an unknown option of `flowc run`"
    FC4003 "a value that does not fit its parameter"
    FC4004 "no usable Python interpreter"
    FC4005 "a store that cannot be used"
    FC4006 "a foreach wider than the limit"
    FC4007 "Metaflow's service is not told about runs"
    FC4008 "steps that ask for another machine run on this one"
    FC4009 "a setting of Metaflow that cannot be followed"
    FC4010 "a setting of Metaflow that has no effect"
    FC4020 "no run to resume"
    FC4021 "a step that the flow does not have"
    FC4022 "a run that goes on"
    FC4023 "a run of another flow"
    FC4024 "a run whose parameters are damaged"
    FC4025 "a run without results that flowc can take over"
    FC4026 "parameters that a resumed run cannot have"
    FC4027 "a run that cannot have started this one"
    FC4028 "a debugger that cannot have the terminal"
    FC4030 "a store that fails while a run is resumed"

    FC5001 "an orchestrator that does not answer"
    FC5002 "credentials that an orchestrator does not accept"
    FC5003 "a missing permission"
    FC5004 "another account or cluster than the profile names"
    FC5005 "an object that somebody else deployed"
    FC5006 "an object or run that does not exist"
    FC5007 "an object that the orchestrator refuses"
    FC5008 "waiting that took too long"
    FC5009 "another error of an orchestrator"
    FC5010 "a code package that cannot be put into the store"
    FC5011 "a placeholder where a deployment needs a setting"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no code of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    /// Accepts `FC0112`, `fc0112` and `0112`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text
            .strip_prefix("FC")
            .or_else(|| text.strip_prefix("fc"))
            .unwrap_or(text);
        Self::ALL
            .iter()
            .copied()
            .find(|code| &code.as_str()[2..] == number)
            .ok_or(UnknownCode)
    }
}
