//! Small JSON documents, read whole: discovery, reviews, probes.

use std::{borrow::Cow, time::Duration};

use bytes::{Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Verb,
    answer::Answer,
    client::{Client, Trouble},
    connection::Connection,
    request::{Ask, JSON},
};
use crate::{
    watch::machine::{Failure, FailureKind},
    wire::{Encoding, stream::Items},
};

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

    /// POST or PATCH of an object.
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

/// A whole answer.
#[derive(Debug)]
pub struct Whole {
    /// Its body.
    pub body: Bytes,
    /// How that is encoded.
    pub encoding: Encoding,
    /// How long its attempt took, the dial included where there was one.
    pub took: Duration,
    /// The connection, for the next request.
    pub connection: Connection,
}

impl Whole {
    /// The state of the list that it is, if it is one.
    #[must_use]
    pub fn resource_version(&self) -> Option<u64> {
        let mut items = Items::new(self.encoding, LARGEST);
        items.push(&self.body);
        while items.next_item().ok()?.is_some() {}
        items.finish().ok().map(|page| page.resource_version)
    }
}

impl Client {
    /// A whole answer of at most 4 MiB.
    ///
    /// # Errors
    /// Where there is no answer of status 200 or 201, or it is longer.
    pub async fn whole(&self, ask: &Ask, connection: Option<Connection>) -> Result<Whole, Trouble> {
        let mut answer = self.ask(ask, connection).await?;
        let body = body(&mut answer).await?;
        let (took, encoding) = (answer.started().elapsed(), answer.encoding());
        Ok(Whole { body, encoding, took, connection: answer.into_connection() })
    }

    /// The document that answers a request, and the connection for the next.
    ///
    /// # Errors
    /// Where there is no answer of status 200 or 201, or it is none of that shape.
    pub async fn document<T: DeserializeOwned>(
        &self,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<(T, Connection), Trouble> {
        let Whole { body, connection, .. } = self.whole(ask, connection).await?;
        let document = serde_json::from_slice(&body)
            .map_err(|error| unreadable(&format!("not as expected: {error}")))?;
        Ok((document, connection))
    }
}

async fn body(answer: &mut Answer) -> Result<Bytes, Trouble> {
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
