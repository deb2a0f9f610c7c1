//! Small JSON documents, read whole: discovery, reviews, probes.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Verb,
    client::{Answer, Client, Trouble},
    connection::Connection,
    request::{Ask, JSON},
};
use crate::watch::machine::{Failure, FailureKind};

/// How long a document may be.
const LARGEST: usize = 4 << 20;

impl Ask {
    /// GET of a path.
    pub fn get(about: impl Into<Cow<'static, str>>, path: impl Into<String>) -> Self {
        Self {
            verb: Verb::Get,
            about: about.into(),
            path_and_query: path.into(),
            accept: JSON.into(),
            body: Bytes::new(),
        }
    }

    /// POST or PUT of an object.
    pub fn send(
        verb: Verb,
        about: impl Into<Cow<'static, str>>,
        path: impl Into<String>,
        object: &impl Serialize,
    ) -> Self {
        // What is sent is made here, of names and times: it can be written as JSON.
        let body = serde_json::to_vec(object).unwrap_or_default().into();
        Self { verb, body, ..Self::get(about, path) }
    }
}

impl Client {
    /// The document that answers a request, and the connection for the next.
    ///
    /// # Errors
    /// Where there is no answer of status 200 or 201, or it is none of that shape.
    pub async fn document<T: DeserializeOwned>(
        &self,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<(T, Connection), Trouble> {
        let mut answer = self.ask(ask, connection).await?;
        let body = whole(&mut answer).await?;
        let document = serde_json::from_slice(&body)
            .map_err(|error| unreadable(&format!("not as expected: {error}")))?;
        Ok((document, answer.into_connection()))
    }
}

async fn whole(answer: &mut Answer) -> Result<Bytes, Trouble> {
    let mut body = BytesMut::new();
    while let Some(bytes) = answer.chunk().await? {
        body.extend_from_slice(&bytes);
        if body.len() > LARGEST {
            return Err(unreadable("too long"));
        }
    }
    Ok(body.freeze())
}

fn unreadable(why: &str) -> Trouble {
    Trouble {
        failure: Failure { kind: FailureKind::Server, retry_after: None },
        message: format!("the answer cannot be read: {why}"),
    }
}
