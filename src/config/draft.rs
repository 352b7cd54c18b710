//! A configuration in preparation: the settings that a first run still has to ask for, and the resulting file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::document;
use super::error::{ConfigError, ConfigErrors, SettingSource};
use super::layers::{FileText, Layers, SECRETS, Setting, read_file, read_opened};
use super::live::ConfigWriter;
use super::writer::{changed, replace_settings};
use super::{Config, EXAMPLE};

/// The current file, or the commented example if there is none, with the settings filled in so far.
#[derive(Debug, Clone)]
pub struct ConfigDraft {
    path: PathBuf,
    /// Text of the file on the disk, if there is one.
    before: Option<String>,
    text: String,
    mode: u32,
    environment: Vec<(String, String)>,
}

/// The known state of a setting before a person is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSetting {
    /// Value of the setting; `None` for a secret and for an unset one.
    pub value: Option<String>,
    /// True for a setting with a value, even if that is not shown.
    pub is_set: bool,
    /// Source of the value if it overrides the file: the value can only be changed there.
    pub elsewhere: Option<SettingSource>,
}

impl KnownSetting {
    fn of(key: &str, setting: Setting) -> Self {
        let value = document::scalar(&setting.value).filter(|value| !value.trim().is_empty());
        let elsewhere = match setting.source {
            SettingSource::Default | SettingSource::File { .. } => None,
            source @ (SettingSource::Environment { .. } | SettingSource::Credential { .. }) => Some(source),
        };
        let is_set = value.is_some();
        Self { value: value.filter(|_| !SECRETS.contains(&key)), is_set, elsewhere }
    }
}

/// Mode for the checks of a file that does not exist yet.
const MODE: u32 = 0o640;

impl ConfigDraft {
    /// Starts a draft from the file at `path`, if there is one. `environment` is that of [`Config::load`].
    /// Blocks.
    pub fn begin(path: &Path, environment: Vec<(String, String)>) -> Result<Self, ConfigErrors> {
        Self::of(path, read_file(path), environment)
    }

    /// Starts a draft like [`ConfigDraft::begin`], from a file that the caller has opened at `path`; `None` for no
    /// file. Blocks.
    pub fn begin_opened(
        path: &Path,
        opened: io::Result<Option<File>>,
        environment: Vec<(String, String)>,
    ) -> Result<Self, ConfigErrors> {
        Self::of(path, read_opened(path, opened), environment)
    }

    fn of(
        path: &Path,
        file: Result<Option<FileText>, ConfigError>,
        environment: Vec<(String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let file = file.map_err(|mistake| ConfigErrors::from(vec![mistake]))?;
        let mode = file.as_ref().map_or(MODE, |file| file.mode);
        let before = file.map(|file| file.text);
        let text = before.clone().unwrap_or_else(|| EXAMPLE.to_owned());
        Ok(Self { path: path.to_owned(), before, text, mode, environment })
    }

    /// Fills in settings (name, value); an empty value stands for "not set". If the layout of the file does not
    /// allow the change, the error is the name of the setting.
    pub fn fill_in<'a>(&mut self, wanted: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), &'a str> {
        for (key, value) in wanted {
            self.text = changed(&self.text, key, value).ok_or(key)?;
        }
        Ok(())
    }

    /// Returns the known state of each setting; an empty map if the file cannot be parsed.
    pub fn known(&self) -> BTreeMap<String, KnownSetting> {
        let settings = self.layers().map(|layers| layers.settings).unwrap_or_default();
        settings.into_iter().map(|(key, setting)| (key.clone(), KnownSetting::of(&key, setting))).collect()
    }

    /// Validates the draft and returns the configuration.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        Config::parse(&self.path, self.text.clone(), self.environment.clone())
    }

    /// Writes the file, through `scribe` if this process must not write it itself. Fails if the file has
    /// changed on the disk since the draft began. Blocks.
    pub fn save(&self, scribe: &ConfigWriter) -> io::Result<()> {
        let now = read_file(&self.path).ok().flatten().map(|file| file.text);
        if now != self.before {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody has changed it meanwhile"));
        }
        scribe.replace(&self.text).unwrap_or_else(|| replace_settings(&self.path, &self.text))
    }

    fn layers(&self) -> Result<Layers, ConfigErrors> {
        let file = FileText { text: self.text.clone(), mode: self.mode };
        Ok(Layers::gather(&self.path, Some(&file), &self.environment)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const REQUIRED: [(&str, &str); 11] = [
        ("mirakl.baseUrl", "https://marketplace.example.com"),
        ("mirakl.operatorKey", "key: 'of' #mirakl"),
        ("hipay.wsLogin", "login"),
        ("hipay.wsPassword", "pass\"word"),
        ("hipay.baseRestUrl", "https://professional.hipay.com"),
        ("hipay.entity", "entity"),
        ("hipay.merchantGroupId", "12"),
        ("account.technical.email", "technical@example.com"),
        ("account.technical.hipayId", "1"),
        ("account.operator.email", "operator@example.com"),
        ("account.operator.hipayId", "2"),
    ];

    #[test]
    fn from_nothing_the_example_is_filled_in_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/cashout/parameters.yml");
        let missing = Config::load(&path, []).unwrap_err();
        assert!(missing.is_unfinished(), "{missing}");
        let mut draft = ConfigDraft::begin(&path, Vec::new()).unwrap();
        assert!(draft.config().unwrap_err().is_unfinished());
        draft.fill_in(REQUIRED).unwrap();
        draft.save(&ConfigWriter::default()).unwrap();
        let config = Config::load(&path, []).unwrap();
        assert_eq!(config.hipay.password.expose(), "pass\"word");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).count();
        assert_eq!(kept(&fs::read_to_string(&path).unwrap()), kept(EXAMPLE));
    }

    #[test]
    fn what_is_wrong_and_not_only_missing_is_for_a_person_to_mend() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parameters.yml");
        fs::write(&path, "parameters:\n    cycle.hour: 24\n").unwrap();
        assert!(!Config::load(&path, []).unwrap_err().is_unfinished());
        fs::write(&path, "parameters:\n    cycle.hour: 23\n").unwrap();
        assert!(Config::load(&path, []).unwrap_err().is_unfinished());
    }

    #[test]
    fn what_is_set_is_known_and_a_secret_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parameters.yml");
        fs::write(&path, "parameters:\n    hipay.wsPassword: secret\n    hipay.entity: e\n").unwrap();
        let environment = vec![("CASHOUT_HIPAY_WSLOGIN".to_owned(), "login".to_owned())];
        let known = ConfigDraft::begin(&path, environment).unwrap().known();
        assert_eq!(known["hipay.wsPassword"], KnownSetting { value: None, is_set: true, elsewhere: None });
        assert_eq!(known["hipay.entity"], KnownSetting { value: Some("e".to_owned()), is_set: true, elsewhere: None });
        assert!(matches!(known["hipay.wsLogin"].elsewhere, Some(SettingSource::Environment { .. })));
        assert!(!known["mirakl.baseUrl"].is_set);
    }

    #[test]
    fn a_file_that_somebody_has_changed_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parameters.yml");
        let mut draft = ConfigDraft::begin(&path, Vec::new()).unwrap();
        draft.fill_in(REQUIRED).unwrap();
        fs::write(&path, "parameters:\n    cycle.hour: 3\n").unwrap();
        assert!(draft.save(&ConfigWriter::default()).unwrap_err().to_string().contains("meanwhile"));
        assert!(fs::read_to_string(&path).unwrap().contains("cycle.hour: 3"));
    }
}
