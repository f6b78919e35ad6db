//! A whole node: images, pods, names, services, claims, and the ways into a pod.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use tributary_e2e::node::{ImageBuild, Node, NodeOptions, NodeState};

use super::{control_groups, need_a_node, run, until, until_nothing_is_left};

/// Greets whoever connects, and keeps a file on its volume.
const SERVER: &str = r#"
use IO::Socket::INET;
open(my $file, '>>', '/data/started') or die $!; print $file "once\n"; close $file;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die $!;
$| = 1; print "listening\n";
while (my $client = $server->accept) { print $client "hello from the pod\n"; close $client }
"#;

const MANIFEST: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: "tributary/node-test:1", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"#;

#[tokio::test]
async fn a_node_builds_loads_and_runs_images_with_names_services_and_claims_and_leaves_nothing_behind() {
    need_a_node!();
    let node = Node::up(NodeOptions::default()).await.unwrap();
    let image = tempfile::tempdir().unwrap();
    node.build_image(image_in(image.path())).await.unwrap();
    node.apply(MANIFEST).await.unwrap();
    run(node.kubectl().args(["rollout", "status", "statefulset/web", "--timeout=60s"]));

    assert_eq!(run(node.kubectl().args(["logs", "web-0"])), "listening\n");
    assert_eq!(in_pod(&node, "cat /data/started"), "once\n");
    pods_reach_services_and_the_host(&node).await;
    ports_are_forwarded(&node);
    assert!(run(node.helm().args(["list", "--all-namespaces"])).contains("NAMESPACE"));
    a_claim_outlives_its_pod_and_not_its_end(&node).await;
    everything_goes_with_it(node).await;
}

fn image_in(folder: &Path) -> ImageBuild {
    let context = folder.join("context");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("server.pl"), SERVER).unwrap();
    let dockerfile = "ARG BASE\nFROM ${BASE}\nCOPY server.pl /server.pl\nENTRYPOINT [\"perl\", \"/server.pl\"]\n";
    std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    ImageBuild {
        dockerfile: folder.join("Dockerfile"),
        target: None,
        arguments: vec![],
        context,
        name: "docker.io/tributary/node-test:1".to_owned(),
    }
}

fn in_pod(node: &Node, script: &str) -> String {
    run(node.kubectl().args(["exec", "web-0", "--", "bash", "-c", script]))
}

async fn pods_reach_services_and_the_host(node: &Node) {
    until("the service has its pod", async || {
        let mut kubectl = node.kubectl();
        let slices =
            ["get", "endpointslices", "--selector=kubernetes.io/service-name=web", "--output=jsonpath={..addresses}"];
        run(kubectl.args(slices)).contains('.')
    })
    .await;
    // Through the service's name to itself: the longest way there is.
    let mut connect = node.kubectl();
    connect.args(["exec", "web-0", "--", "bash", "-c", "cat < /dev/tcp/web.default.svc.cluster.local/80"]);
    until("the service answers", async || connect.output().unwrap().stdout == b"hello from the pod\n").await;
    assert!(in_pod(node, "getent hosts nowhere.example || echo no such name").contains("no such name"));

    let server = TcpListener::bind((node.host_address(), 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let greet = std::thread::spawn(move || server.accept().unwrap().0.write_all(b"hello from the host\n").unwrap());
    assert_eq!(in_pod(node, &format!("cat < /dev/tcp/{}/{port}", node.host_address())), "hello from the host\n");
    greet.join().unwrap();

    let pod = run(node.kubectl().args(["get", "pod", "web-0", "--output=jsonpath={.status.podIP}"]));
    let service = run(node.kubectl().args(["get", "service", "web", "--output=jsonpath={.spec.clusterIP}"]));
    for address in [format!("{pod}:8080"), format!("{service}:80")] {
        assert_eq!(greeting(address.parse().unwrap()), "hello from the pod\n", "from {address}");
    }
}

fn greeting(address: SocketAddr) -> String {
    let mut greeting = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut greeting).unwrap();
    greeting
}

fn ports_are_forwarded(node: &Node) {
    let mut forward = node.kubectl();
    forward.args(["port-forward", "pod/web-0", ":8080", "--address=127.0.0.1"]).stdout(Stdio::piped());
    let mut child = forward.spawn().unwrap();
    let mut line = String::new();
    // Kept until the end: kubectl stops when nobody reads what it says.
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    printed.read_line(&mut line).unwrap();
    let address = line.split_ascii_whitespace().find_map(|word| word.parse().ok());
    let answer = greeting(address.unwrap_or_else(|| panic!("kubectl says {line}")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answer, "hello from the pod\n");
}

async fn a_claim_outlives_its_pod_and_not_its_end(node: &Node) {
    run(node.kubectl().args(["delete", "pod", "web-0"]));
    run(node.kubectl().args(["rollout", "status", "statefulset/web", "--timeout=60s"]));
    assert_eq!(in_pod(node, "cat /data/started"), "once\nonce\n");
    run(node.kubectl().args(["delete", "statefulset", "web", "--cascade=foreground"]));
    run(node.kubectl().args(["delete", "persistentvolumeclaim", "data-web-0"]));
    until("the volume is gone", async || {
        run(node.kubectl().args(["get", "persistentvolumes"])).contains("No resources")
    })
    .await;
}

async fn everything_goes_with_it(node: Node) {
    run(node.kubectl().args(["create", "deployment", "left", "--image=tributary/node-test:1"]));
    let directory = node.directory().to_owned();
    let state = NodeState::read(&directory).unwrap().unwrap();
    assert!(!control_groups(&state).is_empty());
    drop(node);
    until_nothing_is_left(&state, &directory).await;
    assert!(!directory.exists());
}
