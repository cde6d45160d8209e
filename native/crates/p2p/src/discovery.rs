//! Kademlia: which search answers which request.

use std::collections::{HashMap, HashSet};

use libp2p::core::Endpoint;
use libp2p::kad::{self, GetProvidersOk, Mode, QueryId, QueryResult, QueryStats, RecordKey};
use libp2p::swarm::{ConnectionId, NetworkBehaviour as _};
use libp2p::{Multiaddr, PeerId};

use crate::config::Config;
use crate::events::Event;
use crate::queue::EventQueue;
use crate::records::Records;

pub(crate) type Behaviour = kad::Behaviour<Records>;

const NO_PEERS: &str = "no_peers";

pub(crate) fn behaviour(config: &Config) -> Behaviour {
    let local = config.keypair.public().to_peer_id();
    let mut settings = kad::Config::new(config.kademlia_protocol.clone());
    settings
        .set_provider_record_ttl(Some(config.provider_record_ttl))
        .set_provider_publication_interval(Some(config.provider_publication_interval))
        .set_record_ttl(Some(config.provider_record_ttl));
    let mut behaviour = Behaviour::with_config(local, Records::new(local), settings);
    behaviour.set_mode(Some(if config.kademlia_server {
        Mode::Server
    } else {
        Mode::Client
    }));
    behaviour
}

/// The addresses of a peer that the routing table or a running search knows.
pub(crate) fn addresses(behaviour: &mut Behaviour, peer: PeerId) -> Vec<Multiaddr> {
    // The only way to ask for those of a running search. It changes nothing.
    let none = ConnectionId::new_unchecked(0);
    behaviour
        .handle_pending_outbound_connection(none, Some(peer), &[], Endpoint::Dialer)
        .unwrap_or_default()
}

enum Search {
    Provide,
    Find { seen: HashSet<PeerId> },
}

/// The searches of the owner that have not ended. Those Kademlia starts by itself are not here.
#[derive(Default)]
pub(crate) struct Searches(HashMap<QueryId, (u64, Search)>);

impl Searches {
    pub(crate) fn provide(
        &mut self,
        kad: &mut Behaviour,
        events: &EventQueue,
        request: u64,
        key: &[u8],
    ) {
        match kad.start_providing(RecordKey::new(&key)) {
            Ok(query) => self.start(query, request, Search::Provide),
            Err(error) => events.push(Event::ProvideDone {
                request,
                error: Some(error.to_string()),
            }),
        }
    }

    pub(crate) fn find(&mut self, kad: &mut Behaviour, request: u64, key: &[u8]) {
        let query = kad.get_providers(RecordKey::new(&key));
        let seen = HashSet::new();
        self.start(query, request, Search::Find { seen });
    }

    fn start(&mut self, query: QueryId, request: u64, search: Search) {
        self.0.insert(query, (request, search));
    }

    /// Takes progress of a search. Returns providers not seen before in it: their addresses are
    /// to be collected and given to the owner as `ProvidersFound` of the request.
    pub(crate) fn progress(
        &mut self,
        events: &EventQueue,
        query: QueryId,
        result: QueryResult,
        stats: &QueryStats,
        is_last: bool,
    ) -> Option<(u64, Vec<PeerId>)> {
        let (request, search) = self.0.get_mut(&query)?;
        let request = *request;
        let mut found = None;
        match (search, result) {
            (Search::Provide, QueryResult::StartProviding(result)) => {
                events.push(Event::ProvideDone {
                    request,
                    error: match result {
                        Err(error) => Some(error.to_string()),
                        Ok(_) if stats.num_successes() == 0 => Some(NO_PEERS.to_owned()),
                        Ok(_) => None,
                    },
                });
            }
            (Search::Find { seen }, QueryResult::GetProviders(result)) => {
                if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
                    let new: Vec<_> = providers
                        .into_iter()
                        .filter(|peer| seen.insert(*peer))
                        .collect();
                    found = (!new.is_empty()).then_some((request, new));
                }
                if is_last {
                    // Those found with the last answer must come before.
                    self.0.remove(&query);
                    if found.is_none() {
                        events.push(Event::ProvidersFound {
                            request,
                            providers: Vec::new(),
                            done: true,
                        });
                    }
                    return found;
                }
            }
            _ => {}
        }
        if is_last {
            self.0.remove(&query);
        }
        found
    }
}
