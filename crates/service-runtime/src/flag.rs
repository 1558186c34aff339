/// A flag of one program's own, which sets a configuration key: it wins over the file and the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without its dashes, such as `record`.
    pub name: &'static str,
    /// What stands for its value in `--help`, such as `FILE`.
    pub value_name: &'static str,
    /// The key that it sets, such as `record.file`.
    pub key: &'static str,
    /// What it is for, in one line.
    pub help: &'static str,
}
