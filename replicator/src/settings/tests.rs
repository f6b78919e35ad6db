//! Settings of whole documents, with and without their secrets.

use std::{fs, path::Path};

use tempfile::TempDir;
use tributary_crds::{CdcReplication, Writes, document};

use super::{EventFormat, Secrets, Settings, SettingsError, Shard, read};
use crate::storage::SECRET_FOLDER;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const EVERYTHING: &str = r"
apiVersion: tributary.dev/v1alpha1
kind: CdcReplication
metadata: {name: shop, namespace: sales}
spec:
  source: {postgres: {host: db, database: shop, credentials: {secretName: shop-db}}}
  tables:
    - name: public.users
    - {name: public.orders, target: sales_orders, partitionBy: [order_day], clusterBy: [customer, day], writes: CopyOnWrite}
  kafka:
    external:
      bootstrapServers: kafka-0:9093,kafka-1:9093
      tls: {caSecret: {secretName: kafka-ca}, clientCertificate: {secretName: kafka-user}}
      sasl: {mechanism: ScramSha512, credentials: {secretName: kafka-login}}
  format:
    avro:
      registryUrl: https://registry:8443/apis/ccompat/v7/
      credentials: {secretName: registry}
      tls: {caSecret: {secretName: registry-ca, key: ca.pem}}
  destination:
    uri: s3://lake/shop/
    s3: {endpoint: 'http://minio:9000/', allowHttp: true, credentials: {secretName: lake}}
  replicator: {commitInterval: 500ms, memory: 64Mi, httpPort: 9090}
  maintenance: {targetFileSize: 64Mi, history: 48h, windows: [{from: '22:00', to: '04:00'}]}
";

const FILES: [(&str, &str); 12] = [
    ("shop-db/username", "reader"),
    ("shop-db/password", "hunter5"),
    ("kafka-ca/ca.crt", PEM),
    ("kafka-user/tls.crt", PEM),
    ("kafka-user/tls.key", PEM),
    ("kafka-login/username", "shop"),
    ("kafka-login/password", "hunter2\n"),
    ("registry/username", "reader"),
    ("registry/password", "hunter3"),
    ("registry-ca/ca.pem", PEM),
    ("lake/AWS_ACCESS_KEY_ID", "AKIA"),
    ("lake/AWS_SECRET_ACCESS_KEY", "hunter4"),
];

fn all_secrets() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in FILES {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn resource(yaml: &str) -> CdcReplication {
    document::parse(yaml).unwrap()
}

fn resolved(yaml: &str, secrets: &Path) -> Result<Settings, SettingsError> {
    Settings::resolve(&resource(yaml), &Secrets::new(Some(secrets)), Shard::ALL)
}

#[test]
fn a_document_with_everything_becomes_settings() {
    let secrets = all_secrets();
    let settings = resolved(EVERYTHING, secrets.path()).unwrap();

    let tables: Vec<_> =
        settings.tables.iter().map(|table| (table.name.as_str(), table.topic.as_str(), table.url.as_str())).collect();
    assert_eq!(
        tables,
        [
            ("public.users", "sales.shop.public.users", "s3://lake/shop/public/users"),
            ("public.orders", "sales.shop.public.orders", "s3://lake/shop/sales_orders"),
        ]
    );
    let [users, orders] = settings.tables.as_slice() else { panic!("{:?}", settings.tables) };
    assert_eq!((users.writes, users.cluster_by.len()), (Writes::DeletionVectors, 0));
    assert_eq!((orders.writes, orders.partition_by.as_slice()), (Writes::CopyOnWrite, &["order_day".to_owned()][..]));
    assert_eq!(orders.cluster_by, ["customer", "day"]);
    assert_eq!(settings.tick_topic, "sales.shop.message");
    assert_eq!(settings.kafka.group_id, "tributary.sales.shop");
    assert_eq!(settings.commit_interval.as_millis(), 500);
    assert_eq!((settings.memory, settings.commit_size), (64 << 20, (64 << 20) / 3));
    assert_eq!(settings.http.port(), 9090);
    assert_eq!((settings.maintenance.target_file_bytes, settings.maintenance.history.as_secs()), (64 << 20, 172_800));
    assert_eq!(settings.maintenance.windows.len(), 1);
    assert_eq!(settings.index_dir, None);
    let indexed = settings.clone().with_index_dir(Some("/var/lib/tributary/index".into()));
    assert_eq!(indexed.index_dir.as_deref(), Some(Path::new("/var/lib/tributary/index")));

    let pem = PEM.trim_end();
    let expected = [
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.pem", pem),
        ("ssl.certificate.pem", pem),
        ("ssl.key.pem", pem),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "shop"),
        ("sasl.password", "hunter2"),
    ];
    let options: Vec<_> = settings.kafka.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(options, expected);

    let EventFormat::Avro(registry) = &settings.format else { panic!("{:?}", settings.format) };
    assert_eq!(registry.url.as_str(), "https://registry:8443/apis/ccompat/v7");
    assert_eq!(registry.basic_auth, Some(("reader".to_owned(), "hunter3".to_owned())));
    assert_eq!(registry.ca_pem.as_deref(), Some(pem.as_bytes()));

    let mut options: Vec<_> =
        settings.storage.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    options.sort_unstable();
    let folder = secrets.path().join("lake");
    let expected = [
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ENDPOINT_URL_S3", "http://minio:9000"),
        ("AWS_REGION", "us-east-1"),
        ("max_retries", "3"),
        ("retry_timeout", "30s"),
        (SECRET_FOLDER, folder.to_str().unwrap()),
    ];
    assert_eq!(options, expected);
}

#[test]
fn debug_output_shows_no_secret() {
    let secrets = all_secrets();
    let text = format!("{:#?}", resolved(EVERYTHING, secrets.path()).unwrap());
    for secret in ["hunter", "AKIA", "BEGIN", "AAAA"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn each_missing_secret_is_named_with_its_field_and_its_file() {
    for (file, field) in [
        ("kafka-ca/ca.crt", "spec.kafka.external.tls.caSecret"),
        ("kafka-user/tls.key", "spec.kafka.external.tls.clientCertificate"),
        ("kafka-login/password", "spec.kafka.external.sasl.credentials"),
        ("registry/username", "spec.format.avro.credentials"),
        ("registry-ca/ca.pem", "spec.format.avro.tls.caSecret"),
        ("lake/AWS_SECRET_ACCESS_KEY", "spec.destination.s3.credentials"),
    ] {
        let secrets = all_secrets();
        let path = secrets.path().join(file);
        fs::remove_file(&path).unwrap();
        let error = resolved(EVERYTHING, secrets.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(field) && text.contains(path.to_str().unwrap()) && text.contains("create it"), "{text}");
        assert!(error.is_transient());
    }
}

#[test]
fn an_unusable_secret_is_named_without_its_content() {
    for (file, content, wrong) in [
        ("kafka-ca/ca.crt", "hunter2", "not in PEM form"),
        ("kafka-login/password", "\n", "is empty"),
        ("lake/AWS_ACCESS_KEY_ID", "", "is empty"),
    ] {
        let secrets = all_secrets();
        fs::write(secrets.path().join(file), content).unwrap();
        let text = resolved(EVERYTHING, secrets.path()).unwrap_err().to_string();
        assert!(text.contains(file) && text.contains(wrong) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn without_a_directory_the_error_asks_for_one() {
    let error = Settings::resolve(&resource(EVERYTHING), &Secrets::new(None), Shard::ALL).unwrap_err();
    assert!(error.to_string().contains("start with --secrets DIR"), "{error}");
    assert!(!error.is_transient());
}

#[test]
fn a_cluster_of_strimzi_is_not_for_local_runs() {
    let mut resource: CdcReplication = resource(EVERYTHING);
    resource.spec.kafka = serde_json::from_str(r#"{"strimzi": {}}"#).unwrap();
    let error = Settings::resolve(&resource, &Secrets::new(None), Shard::ALL).unwrap_err();
    assert!(error.to_string().contains("spec.kafka.external.bootstrapServers"), "{error}");
}

#[test]
fn without_credentials_the_usual_places_are_asked_even_for_another_endpoint() {
    let secrets = all_secrets();
    let yaml = EVERYTHING.replace(", credentials: {secretName: lake}", "");
    let options = resolved(&yaml, secrets.path()).unwrap().storage.options;
    assert!(options.contains_key("AWS_ENDPOINT_URL_S3") && !options.contains_key(SECRET_FOLDER), "{options:?}");
}

#[test]
fn each_shard_has_its_own_tables() {
    let secrets = all_secrets();
    let of = |shard: &str| {
        let secrets = Secrets::new(Some(secrets.path()));
        let settings = Settings::resolve(&resource(EVERYTHING), &secrets, shard.parse().unwrap()).unwrap();
        settings.tables.into_iter().map(|table| table.name).collect::<Vec<_>>()
    };
    let mut both = [of("0/2"), of("1/2")].concat();
    both.sort();
    assert_eq!(both, ["public.orders", "public.users"]);
}

#[test]
fn a_file_that_is_missing_or_wrong_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.yaml");
    assert!(read(&path).unwrap_err().to_string().contains("shop.yaml"));
    fs::write(&path, "kind: Pod").unwrap();
    assert!(matches!(read(&path).unwrap_err(), SettingsError::Document { .. }));
}

#[test]
fn secrets_are_read_as_kubernetes_mounts_them() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("lake");
    fs::create_dir_all(secret.join("..2026_11_21_12_00_00.1")).unwrap();
    fs::write(secret.join("..2026_11_21_12_00_00.1/password"), "hunter2\n").unwrap();
    symlink("..2026_11_21_12_00_00.1", secret.join("..data")).unwrap();
    symlink("..data/password", secret.join("password")).unwrap();
    let secrets = Secrets::new(Some(directory.path()));
    assert_eq!(secrets.value("spec.x", "lake", "password").unwrap(), "hunter2");
    // A Secret that loses a key leaves no link behind; one that is being replaced may have a link to nothing.
    fs::remove_dir_all(secret.join("..2026_11_21_12_00_00.1")).unwrap();
    let error = secrets.value("spec.x", "lake", "password").unwrap_err();
    assert!(error.is_transient() && matches!(error, SettingsError::NoSecret { .. }), "{error}");
}
