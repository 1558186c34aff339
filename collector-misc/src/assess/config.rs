use anyhow::Context;
use assessment::{Assessment, AssessmentSettings};
use posture::PolicyFile;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The key `assess`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssessConfig {
    /// A folder with files of posture policies (`*.yaml`) that are used instead of those that are built in. Empty: those that
    /// are built in.
    pub policy_folder: PathBuf,
    /// What is assessed, and what is left out.
    pub checks: AssessmentSettings,
}

impl AssessConfig {
    /// An assessment that has seen nothing yet. `own_namespace`, where this program runs, is exempt as well.
    ///
    /// # Errors
    /// A policy can't be read or used, or something is set that nothing has.
    pub(crate) fn start(&self, own_namespace: Option<&str>) -> anyhow::Result<Assessment> {
        let mut settings = self.checks.clone();
        settings.exempt_namespaces.extend(own_namespace.map(str::to_owned));
        let texts = self.texts()?;
        let files: Vec<_> = texts.iter().map(|(name, text)| PolicyFile { name, text }).collect();
        let files = (!self.policy_folder.as_os_str().is_empty()).then_some(&*files);
        Assessment::new(&settings, files).context("assess")
    }

    /// The files of the folder by their names, sorted.
    fn texts(&self) -> anyhow::Result<Vec<(String, String)>> {
        if self.policy_folder.as_os_str().is_empty() {
            return Ok(vec![]);
        }
        read_folder(&self.policy_folder).with_context(|| {
            format!("assess.policy_folder: cannot read {}", self.policy_folder.display())
        })
    }
}

fn read_folder(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts = vec![];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "yaml") {
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            texts.push((path.display().to_string(), text));
        }
    }
    texts.sort();
    Ok(texts)
}
