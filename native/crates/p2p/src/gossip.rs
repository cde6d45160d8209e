//! Gossipsub as Logos Delivery speaks it: StrictNoSign, ids by content, judged by the owner.
//!
//! Parameters: 29/WAKU2-CONFIG and the scores of logos-delivery. P3, P5 and P6 are off: P6
//! punishes peers that share an address, and all nodes of a local testnet do.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::gossipsub::{
    self, AllowAllSubscriptionFilter, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter,
    MessageAcceptance, MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds,
    PublishError, TopicHash, TopicScoreParams, ValidationMode, Version,
};
use sha2::{Digest as _, Sha256};

use crate::config::{Config, ConfigError};
use crate::events::Topic;

pub(crate) type Behaviour =
    gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<AllowAllSubscriptionFilter>>;

/// Room beside the data for the topic, the lengths and the tags.
const ENVELOPE_BYTES: usize = 4096;
/// A peer may subscribe to so many topics.
const MAX_TOPICS_PER_PEER: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passes the message on.
    Accept,
    /// Drops it, and lowers the score of those who sent it.
    Reject,
    /// Drops it.
    Ignore,
}

impl From<Verdict> for MessageAcceptance {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Reject => Self::Reject,
            Verdict::Ignore => Self::Ignore,
        }
    }
}

/// The id of a message: sha256 of its data, and of nothing else.
pub fn message_id(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

pub(crate) fn behaviour(config: &Config) -> Result<Behaviour, ConfigError> {
    let gossip = settings(config).map_err(|error| ConfigError::Gossip(error.to_string()))?;
    let filter = MaxCountSubscriptionFilter {
        filter: AllowAllSubscriptionFilter {},
        max_subscribed_topics: MAX_TOPICS_PER_PEER,
        max_subscriptions_per_request: MAX_TOPICS_PER_PEER,
    };
    let mut behaviour =
        Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, gossip, filter)
            .map_err(|error| ConfigError::Gossip(error.to_owned()))?;
    behaviour
        .with_peer_score(score_params(), thresholds())
        .map_err(ConfigError::Gossip)?;
    Ok(behaviour)
}

fn settings(config: &Config) -> Result<gossipsub::Config, gossipsub::ConfigBuilderError> {
    gossipsub::ConfigBuilder::default()
        .protocol_id(config.gossip_protocol.to_string(), Version::V1_1)
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(|message| MessageId::new(&message_id(&message.data)))
        .validate_messages()
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(8)
        .mesh_outbound_min(3)
        .gossip_lazy(6)
        .retain_scores(6)
        .gossip_factor(0.25)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .heartbeat_interval(Duration::from_secs(1))
        .history_length(6)
        .history_gossip(3)
        .fanout_ttl(Duration::from_secs(60))
        .duplicate_cache_time(Duration::from_secs(120))
        .prune_backoff(Duration::from_secs(60))
        .unsubscribe_backoff(Duration::from_secs(5))
        .flood_publish(config.flood_publish)
        .max_transmit_size(config.max_message_bytes + ENVELOPE_BYTES)
        .build()
}

fn score_params() -> PeerScoreParams {
    PeerScoreParams {
        ip_colocation_factor_weight: 0.0,
        app_specific_weight: 0.0,
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_decay: 0.986,
        decay_interval: Duration::from_secs(12),
        decay_to_zero: 0.01,
        retain_score: Duration::from_secs(600),
        ..PeerScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -100.0,
        publish_threshold: -1000.0,
        graylist_threshold: -10_000.0,
        accept_px_threshold: 0.0,
        opportunistic_graft_threshold: 0.0,
    }
}

/// The scores of one topic.
pub(crate) fn topic_score_params() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 10.0,
        first_message_deliveries_weight: 1.0,
        first_message_deliveries_decay: 0.5,
        first_message_deliveries_cap: 10.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -100.0,
        invalid_message_deliveries_decay: 0.5,
        ..TopicScoreParams::default()
    }
}

pub(crate) fn subscribe(behaviour: &mut Behaviour, topic: &str) {
    let topic = IdentTopic::new(topic);
    // The filter allows every topic, and scores are on: neither call can fail.
    let _ = behaviour.subscribe(&topic);
    let _ = behaviour.set_topic_params(topic, topic_score_params());
}

/// The topics that this node follows, with the peers that follow them too.
pub(crate) fn topics(behaviour: &Behaviour) -> Vec<Topic> {
    let mut followers: HashMap<&TopicHash, Vec<(PeerId, f64)>> = HashMap::new();
    for (peer, topics) in behaviour.all_peers() {
        let score = behaviour.peer_score(peer).unwrap_or_default();
        for topic in topics {
            followers.entry(topic).or_default().push((*peer, score));
        }
    }
    behaviour
        .topics()
        .map(|topic| Topic {
            topic: topic.to_string(),
            followers: followers.remove(topic).unwrap_or_default(),
            mesh: behaviour.mesh_peers(topic).copied().collect(),
        })
        .collect()
}

/// Publishes, or says why not in the words of `PublishDone`.
pub(crate) fn publish(
    behaviour: &mut Behaviour,
    topic: &str,
    data: Vec<u8>,
    max_message_bytes: usize,
) -> Result<(), String> {
    if data.len() > max_message_bytes {
        return Err("too_large".to_owned());
    }
    behaviour
        .publish(IdentTopic::new(topic), data)
        .map(|_| ())
        .map_err(|error| match error {
            PublishError::Duplicate => "duplicate".to_owned(),
            PublishError::NoPeersSubscribedToTopic => "no_peers".to_owned(),
            PublishError::AllQueuesFull(_) => "queue_full".to_owned(),
            PublishError::MessageTooLarge => "too_large".to_owned(),
            other => other.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_valid() {
        assert_eq!(score_params().validate(), Ok(()));
        assert_eq!(thresholds().validate(), Ok(()));
        assert_eq!(topic_score_params().validate(), Ok(()));
    }

    // sha256 of "abc": FIPS 180-2, appendix B.1.
    #[test]
    fn an_id_is_the_hash_of_the_data() {
        assert_eq!(message_id(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
