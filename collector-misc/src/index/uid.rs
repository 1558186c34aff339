use std::fmt;
use uuid::Uuid;

/// An object's uid. All servers make UUIDs; the API only promises a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Uid {
    Uuid(Uuid),
    Other(Box<str>),
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        // Only the usual spelling: the text must be found again as it was.
        let uuid = Uuid::try_parse(text).ok().filter(|uuid| uuid.to_string() == text);
        uuid.map_or_else(|| Self::Other(text.into()), Self::Uuid)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => uuid.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Uid;

    #[test]
    fn every_uid_is_found_again_as_it_was() {
        for text in [
            "0e37df36-f698-11e6-8dd4-cb9ced3df976",
            "0E37DF36-F698-11E6-8DD4-CB9CED3DF976",
            "0e37df36f69811e68dd4cb9ced3df976",
            "not-a-uuid",
        ] {
            assert_eq!(Uid::from(text).to_string(), text);
        }
    }
}
