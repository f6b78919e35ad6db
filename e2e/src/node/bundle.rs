//! The Go programs of a node: Kubernetes, etcd, `CoreDNS` and helm, built once from the module `e2e/node` into the cache.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::{go, requirements};
use crate::stack::Download;

/// The module, as it was when this program was built: the checkout need not be there.
const SOURCE: [(&str, &str); 5] = [
    ("go.mod", include_str!("../../node/go.mod")),
    ("go.sum", include_str!("../../node/go.sum")),
    ("cmd/kubernetes/main.go", include_str!("../../node/cmd/kubernetes/main.go")),
    ("cmd/kubernetes/coredns.go", include_str!("../../node/cmd/kubernetes/coredns.go")),
    ("cmd/pause/main.go", include_str!("../../node/cmd/pause/main.go")),
];
const PACKAGES: [&str; 3] = ["./cmd/kubernetes", "./cmd/pause", "helm.sh/helm/v3/cmd/helm"];
/// The names under which the program `kubernetes` is called.
const LINKS: [&str; 8] = [
    "etcd",
    "coredns",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
];
/// How many packages there are to compile with an empty build cache (`go list -deps`).
const PACKAGES_IN_ALL: usize = 3000;

/// The built programs.
#[derive(Debug)]
pub(super) struct Bundle {
    programs: PathBuf,
}

impl Bundle {
    /// The folder of the programs.
    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// Makes sure that the machine can run a node, then builds what the cache lacks. Blocks.
pub(super) fn ready() -> anyhow::Result<Bundle> {
    requirements::check()?;
    let flags = linker_flags(version_in(SOURCE[0].1)?);
    let recipe: Vec<&str> = SOURCE.iter().flat_map(|(path, text)| [*path, *text]).chain([flags.as_str()]).collect();
    let recipe = recipe.concat();
    let download = Download {
        name: "node",
        title: "Kubernetes, etcd, CoreDNS and helm, built from their Go modules (about 5 minutes on 2 cores, once)",
        recipe: &recipe,
        tool: "go",
    };
    Ok(Bundle { programs: download.get(|folder| build(folder, &flags))?.join("programs") })
}

fn build(folder: &Path, flags: &str) -> anyhow::Result<()> {
    let (source, programs) = (folder.join("source"), folder.join("programs"));
    for (path, text) in SOURCE {
        let path = source.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(&source))?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    std::fs::create_dir_all(&programs)?;
    let mut go = Command::new("setpriv");
    go.arg("--pdeathsig=KILL").arg(go::toolchain()?).args([
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        // `-w` leaves it out in the end.
        "-gcflags=all=-dwarf=false",
        "-ldflags",
        flags,
    ]);
    go.arg("-o").arg(&programs).args(PACKAGES).current_dir(&source);
    // Static programs, which need no C compiler to be built and run in an empty image.
    go.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly");
    // A compiler that collects its garbage seldom is a tenth faster. The limit keeps it from filling a small machine.
    go.env("GOGC", "400").env("GOMEMLIMIT", "2GiB");
    follow(&mut go)?;
    for name in LINKS {
        std::os::unix::fs::symlink("kubernetes", programs.join(name))?;
    }
    Ok(())
}

/// Runs a `go build -v`, which prints the name of each package that it compiles, and says now and then how far it is.
fn follow(go: &mut Command) -> anyhow::Result<()> {
    let mut child = go.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| anyhow::anyhow!("cannot run go: {error}"))?;
    let mut printed: Vec<String> = Vec::new();
    let mut compiled = 0;
    for line in BufReader::new(child.stderr.take().context("go has no output")?).lines() {
        let line = line?;
        let is_package = !line.contains(' ') && !line.starts_with('#');
        compiled += usize::from(is_package);
        if is_package && compiled % 250 == 0 {
            tracing::info!("{compiled} of at most {PACKAGES_IN_ALL} packages are compiled…");
        }
        if !is_package {
            printed.push(line);
        }
    }
    let status = child.wait()?;
    let last = printed[printed.len().saturating_sub(30)..].join("\n");
    anyhow::ensure!(status.success(), "{go:?} ended with {status} (the Go module proxy must be reachable):\n{last}");
    Ok(())
}

/// Kubernetes' version in the module's file, as in `k8s.io/kubernetes v1.34.4`.
fn version_in(module: &str) -> anyhow::Result<&str> {
    let line = module.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    line.and_then(|rest| rest.split_ascii_whitespace().next()).context("e2e/node/go.mod names no version of Kubernetes")
}

/// What Kubernetes' own build sets: its version. Without, nodes report v0.0.0 and helm takes the cluster for version 1.20.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
    let component = "k8s.io/component-base/version";
    let mut flags = vec!["-s".to_owned(), "-w".to_owned()];
    flags.push(format!(
        "-X {component}.gitVersion={version} -X {component}.gitMajor={major} -X {component}.gitMinor={minor}"
    ));
    for package in ["pkg/chartutil", "pkg/lint/rules"] {
        let name = format!("helm.sh/helm/v3/{package}.k8sVersion");
        flags.push(format!("-X {name}Major={major} -X {name}Minor={minor}"));
    }
    flags.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_told_the_version_that_the_module_asks_for() {
        let version = version_in(SOURCE[0].1).unwrap();
        assert!(version.starts_with("v1.34."), "{version}");
        let flags = linker_flags("v1.34.4");
        assert!(flags.contains("-X k8s.io/component-base/version.gitVersion=v1.34.4"), "{flags}");
        assert!(flags.contains("-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34"), "{flags}");
    }
}
