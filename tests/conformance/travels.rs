//! What the API server sends us: of secrets and config maps nothing but metadata.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    access::{account, bind, subject, token},
    api::{Api, Call, Login},
    cluster::User,
    deploy::apply,
    proxy::Recorder,
    suite::{Suite, kubetally, namespace, tests},
};

tests![only_metadata_of_secrets_travels_by_protobuf, only_metadata_of_secrets_travels_by_json];

const SECRETS: &str = "/api/v1/namespaces/travels/secrets";
const CONFIG_MAPS: &str = "/api/v1/namespaces/travels/configmaps";
/// What must not travel: from the first list, from a change, from what is new.
const DATA: [&str; 3] = ["listed-hunter2", "changed-hunter2", "added-hunter2"];

async fn only_metadata_of_secrets_travels_by_protobuf(suite: &Suite) {
    only_metadata_travels(suite, "protobuf").await;
}

async fn only_metadata_of_secrets_travels_by_json(suite: &Suite) {
    only_metadata_travels(suite, "json").await;
}

async fn only_metadata_travels(suite: &Suite, wire: &str) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    account(&api, "travels").await;
    bind(&api, "travels", "cluster-admin", subject("travels")).await;
    let token = token(&api, "travels").await;
    namespace(&api, "travels").await;
    let [listed, changed, added] = DATA;
    put(&api, "one", listed).await;

    let tls = shared.cluster.server_tls(&["h2"]);
    let recorder = Recorder::start(tls, shared.server.api(Login::Anonymous)).await;
    let file = shared.cluster.dir().join("travels.token");
    std::fs::write(&file, &token).expect("a file");
    let user = User::TokenFile(&file);
    let kubeconfig = shared.cluster.kubeconfig("travels.kubeconfig", recorder.port, &user);
    let flags = ["--wire", wire, "--resources", "secrets,configmaps", "--detail", "configmaps"];
    let mut kubetally = kubetally(&kubeconfig, &flags).await;
    kubetally.until_ready().await;
    for (path, data) in [(SECRETS, "stringData"), (CONFIG_MAPS, "data")] {
        api.must(Call::patch(format!("{path}/one"), json!({data: {"password": changed}}))).await;
    }
    put(&api, "two", added).await;
    // The change came before what is new.
    let both = ["secrets", "configmaps"].map(|resource| {
        let labels = format!("namespace=\"travels\",resource=\"{resource}\"");
        format!("kubetally_namespace_objects{{{labels}}}")
    });
    let expected = [(&*both[0], 2.0), (&*both[1], 2.0)];
    kubetally.until_values("what is new", &expected).await;
    kubetally.stop().await;

    assert!(recorder.saw("travels") && recorder.saw("two"), "the metadata came by this way");
    for data in DATA {
        assert!(!recorder.saw(data) && !recorder.saw(&STANDARD.encode(data)), "{data} came");
    }
    // And had they been asked for as a whole, they would have been seen.
    let whole = Api::new(recorder.port, shared.cluster.ca(), Login::Token(&token));
    whole.list(SECRETS).await;
    whole.list(CONFIG_MAPS).await;
    assert!(recorder.saw(changed) && recorder.saw(&STANDARD.encode(added)), "no record");
    for path in [SECRETS, CONFIG_MAPS] {
        api.must(Call::delete(path)).await;
    }
}

/// Makes a secret and a config map that hold this.
async fn put(api: &Api, name: &str, data: &str) {
    let metadata = json!({"name": name});
    let secret = json!({"metadata": metadata, "stringData": {"password": data}});
    api.must(Call::create(SECRETS, secret)).await;
    let config_map = json!({"metadata": metadata, "data": {"password": data}});
    api.must(Call::create(CONFIG_MAPS, config_map)).await;
}
