//! What the API server needs for a list by itself: who reads it does nothing with the objects.

use std::{path::Path, time::Duration};

use kubetally::{
    api::{
        client::Client,
        endpoint::{Endpoint, Lookup},
        request::Target,
    },
    kinds,
    telemetry::Telemetry,
    watch::machine::Request,
    wire::{
        Encoding, Notification, Wanted,
        stream::{Events, LARGEST, notification},
    },
};
use tokio::time::Instant;

/// How often each list is read; the median counts.
const TIMES: usize = 3;

/// The times of a streaming list of all pods.
pub struct Lists {
    /// In protobuf.
    pub protobuf: Duration,
    /// In JSON.
    pub json: Duration,
}

/// A client of the API server that this kubeconfig names.
pub fn client(kubeconfig: &Path) -> Client {
    let lookup = Lookup {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: None,
        env: &|_| None,
        service_account: "/nowhere".into(),
    };
    let endpoint = Endpoint::find(&lookup).expect("a cluster");
    Client::new(endpoint, Telemetry::new(&["pods"]).expect("metrics"))
}

/// Pods, encoded so.
pub fn pods(encoding: Encoding) -> Target {
    Target {
        resource: kinds::find("pods").expect("pods are known").clone().into(),
        namespace: None,
        label_selector: None,
        field_selector: None,
        shard: None,
        whole: true,
        wanted: Wanted::Only(encoding),
    }
}

/// Reads the lists.
pub async fn lists(kubeconfig: &Path) -> Lists {
    let client = client(kubeconfig);
    // Fills the server's caches.
    list(&client, Encoding::Protobuf).await;
    Lists {
        protobuf: median(&client, Encoding::Protobuf).await,
        json: median(&client, Encoding::Json).await,
    }
}

async fn median(client: &Client, encoding: Encoding) -> Duration {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        took.push(list(client, encoding).await);
    }
    took.sort_unstable();
    took[TIMES / 2]
}

/// One list, from the dial to the bookmark that ends it.
async fn list(client: &Client, encoding: Encoding) -> Duration {
    let began = Instant::now();
    let request = Request::Stream { timeout: Duration::from_secs(300) };
    let mut answer = match client.open(&pods(encoding), &request, None).await {
        Ok(answer) => answer,
        Err(trouble) => panic!("{}", trouble.message),
    };
    let mut events = Events::new(answer.encoding(), LARGEST);
    loop {
        let chunk = answer.chunk().await.expect("a stream").expect("no end");
        events.push(&chunk);
        while let Some(event) = events.next_event().expect("an event") {
            let event = notification(event).expect("a notification");
            if let Notification::Bookmark { initial_events_end: true, .. } = event {
                return began.elapsed();
            }
        }
    }
}
