//! Image references. A stand-in until the whole grammar lands.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no image reference")]
pub struct ImageError;

impl Image {
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() || text.contains(' ') { Err(ImageError) } else { Ok(Self(text.to_owned())) }
    }

    pub fn normalised(&self) -> String {
        match self.0.split_once('/') {
            None => format!("docker.io/library/{}", self.0),
            Some((domain, _)) if domain.contains(['.', ':']) || domain == "localhost" => self.0.clone(),
            Some(_) => format!("docker.io/{}", self.0),
        }
    }
}
