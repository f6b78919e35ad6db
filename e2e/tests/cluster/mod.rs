//! The end-to-end suite of the operator, on whatever cluster `KUBECONFIG` names: `make test` brings one up.

mod admission;
mod deletion;
mod drift;
mod kafka;
mod made_again;
mod manifests;
mod names;
mod operator;
mod pods;
mod rbac;
mod replication;
mod scale;
mod secrets;
mod shop;
mod stream;
mod suspend;
mod tables;
