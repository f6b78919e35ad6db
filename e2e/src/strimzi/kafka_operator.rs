//! Plays Strimzi's cluster operator for one Kafka, and its entity operators.

use std::sync::Arc;

use serde_json::{Value, json};

use super::authority::Authority;
use super::brokers::{self, Brokers};
use super::context::{self, Context};
use super::kafka::Layout;
use super::kind::Kind;
use super::player::{Dirty, Player};
use super::refusal::Refusal;
use super::resource::{Key, Resource, View};
use super::status::{self, KafkaObserved};
use super::{services, topic_operator, user_operator};

/// One Kafka, from the creation of its resource to its deletion.
pub(super) struct KafkaOperator {
    context: Arc<Context>,
    key: Key,
    brokers: Option<Brokers>,
}

/// What Strimzi's users set on the pods of a Kafka to have them restarted; here it stands on the Kafka itself.
const ROLL: &str = "strimzi.io/manual-rolling-update";
const KIND: Kind = Kind::Kafka;

impl KafkaOperator {
    pub(super) fn new(context: Arc<Context>, key: Key) -> Self {
        Self { context, key, brokers: None }
    }

    async fn operate(&mut self, kafka: &Resource) -> anyhow::Result<()> {
        if kafka.is_paused() {
            return self.write(kafka, status::kafka_paused(kafka)).await;
        }
        if kafka.at("/status").is_null() {
            self.write(kafka, status::kafka_creating()).await?;
        }
        let pools = self.context.resources.of(Kind::KafkaNodePool, &self.key);
        let pools: Vec<&Resource> = pools.iter().map(Arc::as_ref).collect();
        match Layout::of(kafka, &pools) {
            Ok(layout) => self.run(kafka, &layout, &pools).await,
            Err(refusal) => self.write(kafka, status::kafka_failed(kafka, &refusal)).await,
        }
    }

    async fn run(&mut self, kafka: &Resource, layout: &Layout, pools: &[&Resource]) -> anyhow::Result<()> {
        let context = Arc::clone(&self.context);
        let brokers = self.brokers_of(kafka)?;
        let authority = authority(&context, brokers, &kafka.key(), layout).await?;
        if kafka.is_annotated(ROLL) {
            brokers.roll().await?;
            context.kubernetes.fulfil(KIND, kafka, ROLL).await?;
        }
        if let Err(error) = brokers.ensure(&context, layout, authority.as_ref()).await {
            let refusal = Refusal::new("FatalProblem", format!("The Kafka nodes do not start: {error:#}"));
            if brokers.is_hopeless() {
                self.write(kafka, status::kafka_failed(kafka, &refusal)).await?;
            }
            return Err(error);
        }
        if !brokers.is_ready(layout).await? {
            return Ok(());
        }
        expose(&context, kafka, layout, brokers, authority.as_ref()).await?;
        let certificate = authority.as_ref().map(Authority::cluster_ca).transpose()?;
        let cluster_id = brokers.cluster_id.clone();
        for pool in pools {
            if let Some(known) = layout.pools.iter().find(|known| known.name == pool.key().1) {
                let status = status::pool(kafka, pool, known, &cluster_id);
                context.kubernetes.write_status(Kind::KafkaNodePool, pool, status).await?;
            }
        }
        let observed = KafkaObserved { layout, cluster_id: &cluster_id, authority: certificate.as_deref() };
        self.write(kafka, status::kafka_ready(kafka, &observed)).await
    }

    /// The processes of this resource; those of an earlier one of the same name end.
    fn brokers_of(&mut self, kafka: &Resource) -> anyhow::Result<&mut Brokers> {
        let uid = kafka.metadata.uid.clone().unwrap_or_default();
        let brokers = match self.brokers.take() {
            Some(brokers) if brokers.uid == uid => brokers,
            earlier => {
                drop(earlier);
                let folder = self.context.folder(context::KAFKA, &self.key);
                Brokers::of(folder, &uid, self.context.options.bind)?
            }
        };
        Ok(self.brokers.insert(brokers))
    }

    async fn write(&self, kafka: &Resource, status: Value) -> anyhow::Result<()> {
        self.context.kubernetes.write_status(KIND, kafka, status).await
    }

    async fn gone(&mut self) -> anyhow::Result<()> {
        match self.brokers.take() {
            Some(brokers) => {
                tracing::info!("{} is gone: its processes end and its data is removed", self.title());
                brokers.destroy()?;
            }
            // An earlier stand-in may have left something.
            None => brokers::remove(&self.context.folder(context::KAFKA, &self.key))?,
        }
        topic_operator::abandon(&self.context, &self.key).await
    }

    async fn entities(&mut self, kafka: &Resource, dirty: &Dirty) -> anyhow::Result<()> {
        let Some(brokers) = self.brokers.as_mut() else { return Ok(()) };
        // Nothing can be asked while the brokers come up, or if there are none because the resource was refused.
        if brokers.wants() {
            return Ok(());
        }
        let admin = brokers.admin()?;
        if kafka.at("/spec/entityOperator/topicOperator").is_object() {
            topic_operator::reconcile(&self.context, &self.key, &admin, dirty).await?;
        }
        if kafka.at("/spec/entityOperator/userOperator").is_object() {
            let place = user_operator::Place { folder: brokers.folder(), servers: brokers.servers() };
            user_operator::reconcile(&self.context, kafka, &place, dirty).await?;
        }
        Ok(())
    }
}

impl Player for KafkaOperator {
    async fn reconcile(&mut self, dirty: &Dirty) -> anyhow::Result<()> {
        let context = Arc::clone(&self.context);
        let Some(kafka) = context.resources.get(KIND, &self.key) else { return self.gone().await };
        self.operate(&kafka).await?;
        self.entities(&kafka, dirty).await
    }

    fn wants(&mut self) -> bool {
        self.brokers.as_mut().is_some_and(Brokers::wants)
    }

    fn title(&self) -> String {
        format!("Kafka {}/{}", self.key.0, self.key.1)
    }
}

async fn authority(
    context: &Context,
    brokers: &Brokers,
    key: &Key,
    layout: &Layout,
) -> anyhow::Result<Option<Authority>> {
    if !layout.has_tls() {
        return Ok(None);
    }
    let (folder, key, bind) = (brokers.folder().to_owned(), key.clone(), context.options.bind);
    tokio::task::spawn_blocking(move || Authority::of(&folder, &key, bind).map(Some)).await?
}

/// The bootstrap Service, and the Secrets that clients trust.
async fn expose(
    context: &Context,
    kafka: &Resource,
    layout: &Layout,
    brokers: &Brokers,
    authority: Option<&Authority>,
) -> anyhow::Result<()> {
    let name = kafka.key().1;
    let metadata = services::metadata(KIND, kafka, "kafka", &format!("{name}-kafka-bootstrap"));
    let each = brokers.bootstrap(layout);
    let Some(first) = each.first() else { return Ok(()) };
    context.kubernetes.apply(services::service(&metadata, first)).await?;
    for (number, ports) in each.iter().enumerate() {
        if let Some(slice) = services::slice(&metadata, number, ports) {
            context.kubernetes.apply(slice).await?;
        }
    }
    let Some(authority) = authority else { return Ok(()) };
    let certificates = [("cluster-ca-cert", authority.cluster_ca()?), ("clients-ca-cert", authority.clients_ca()?)];
    for (suffix, certificate) in certificates {
        let metadata = services::metadata(KIND, kafka, "certificate-authority", &format!("{name}-{suffix}"));
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque",
            "data": {"ca.crt": encoded(&certificate)},
        });
        context.kubernetes.apply(secret).await?;
    }
    Ok(())
}

/// A value of a Secret's data.
pub(super) fn encoded(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
