//! Why a server did not start or did not go on.

/// A fault that ends `serve`. Every message is one line and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; choose another HOST:PORT; port 0 takes a free one"
    )]
    Bind {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The machine or the network failed.
    #[error("the server stopped: {0}")]
    Io(String),
}
