//! The host as Python sees it.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::time::Duration;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use logos_p2p::{
    Config, Host as NativeHost, Multiaddr, PeerId, StreamProtocol, Verdict, keypair, parse_address,
    parse_peer_id, parse_protocol,
};

use crate::events::{Traffic, to_list};
use crate::{config_error, host_error, key_type};

#[pyclass(frozen, module = "logos_native")]
pub struct Host {
    native: NativeHost,
}

#[pymethods]
impl Host {
    #[new]
    #[pyo3(signature = (
        *,
        secret_key,
        listen_addresses,
        agent,
        key_type = "secp256k1",
        gossip_protocol = "/vac/waku/relay/2.0.0",
        kademlia_protocol = "/logos/kad/1.0.0",
        kademlia_server = true,
        provider_record_ttl_s = 86_400,
        provider_publication_interval_s = 39_600,
        max_connections = 250,
        max_connections_per_peer = 2,
        max_streams = 1024,
        max_message_bytes = 153_600,
        max_queued_messages = 4096,
        max_queued_message_bytes = 16_777_216,
        idle_connection_timeout_s = 600,
        flood_publish = true,
        allowed_peers = None,
    ))]
    #[allow(clippy::too_many_arguments)] // the contract's keywords
    fn new(
        py: Python<'_>,
        secret_key: &[u8],
        listen_addresses: Vec<String>,
        agent: String,
        key_type: &str,
        gossip_protocol: &str,
        kademlia_protocol: &str,
        kademlia_server: bool,
        provider_record_ttl_s: u64,
        provider_publication_interval_s: u64,
        max_connections: u32,
        max_connections_per_peer: u32,
        max_streams: usize,
        max_message_bytes: usize,
        max_queued_messages: usize,
        max_queued_message_bytes: usize,
        idle_connection_timeout_s: u64,
        flood_publish: bool,
        allowed_peers: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let keypair = keypair(secret_key, self::key_type(key_type)?).map_err(config_error)?;
        let config = Config {
            keypair,
            listen_addresses: listen_addresses
                .iter()
                .map(|text| address(text))
                .collect::<PyResult<_>>()?,
            agent,
            gossip_protocol: protocol(gossip_protocol)?,
            kademlia_protocol: protocol(kademlia_protocol)?,
            kademlia_server,
            provider_record_ttl: Duration::from_secs(provider_record_ttl_s),
            provider_publication_interval: Duration::from_secs(provider_publication_interval_s),
            max_connections,
            max_connections_per_peer,
            max_streams,
            max_message_bytes,
            max_queued_messages,
            max_queued_message_bytes,
            idle_connection_timeout: Duration::from_secs(idle_connection_timeout_s),
            flood_publish,
            allowed_peers: allowed_peers
                .map(|texts| texts.iter().map(|text| peer(text)).collect::<PyResult<_>>())
                .transpose()?,
        };
        let native = py
            .detach(|| NativeHost::start(config))
            .map_err(config_error)?;
        Ok(Self { native })
    }

    #[getter]
    fn peer_id(&self) -> String {
        self.native.peer_id().to_base58()
    }

    fn fileno(&self) -> RawFd {
        self.native.fileno()
    }

    #[pyo3(signature = (limit = 1024))]
    fn drain<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        to_list(py, self.native.drain(limit).map_err(host_error)?)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.native.close());
    }

    fn dial(&self, address: &str) -> PyResult<u64> {
        self.native
            .dial(self::address(address)?)
            .map_err(host_error)
    }

    fn disconnect(&self, peer_id: &str) -> PyResult<()> {
        self.native.disconnect(peer(peer_id)?).map_err(host_error)
    }

    fn add_address(&self, peer_id: &str, address: &str) -> PyResult<()> {
        self.native
            .add_address(peer(peer_id)?, self::address(address)?)
            .map_err(host_error)
    }

    fn ban(&self, peer_id: &str) -> PyResult<()> {
        self.native.ban(peer(peer_id)?).map_err(host_error)
    }

    fn unban(&self, peer_id: &str) -> PyResult<()> {
        self.native.unban(peer(peer_id)?).map_err(host_error)
    }

    fn isolate(&self, is_on: bool) -> PyResult<()> {
        self.native.isolate(is_on).map_err(host_error)
    }

    fn ping(&self, peer_id: &str) -> PyResult<()> {
        self.native.ping(peer(peer_id)?).map_err(host_error)
    }

    fn traffic(&self) -> PyResult<HashMap<String, Traffic>> {
        let links = self.native.traffic().map_err(host_error)?;
        Ok(links
            .into_iter()
            .map(|(peer, traffic)| (peer.to_base58(), traffic.into()))
            .collect())
    }

    fn subscribe(&self, topic: String) -> PyResult<()> {
        self.native.subscribe(topic).map_err(host_error)
    }

    fn unsubscribe(&self, topic: String) -> PyResult<()> {
        self.native.unsubscribe(topic).map_err(host_error)
    }

    fn publish(&self, topic: String, data: &[u8]) -> PyResult<u64> {
        self.native
            .publish(topic, data.to_vec())
            .map_err(host_error)
    }

    fn list_topics(&self) -> PyResult<u64> {
        self.native.list_topics().map_err(host_error)
    }

    fn judge(&self, message_id: &[u8], from_peer_id: &str, verdict: &str) -> PyResult<()> {
        let message_id = message_id
            .try_into()
            .map_err(|_| PyValueError::new_err("message id is not 32 bytes long"))?;
        let verdict = match verdict {
            "accept" => Verdict::Accept,
            "reject" => Verdict::Reject,
            "ignore" => Verdict::Ignore,
            _ => return Err(PyValueError::new_err(format!("not a verdict: {verdict}"))),
        };
        self.native
            .judge(message_id, peer(from_peer_id)?, verdict)
            .map_err(host_error)
    }

    fn provide(&self, key: &[u8]) -> PyResult<u64> {
        self.native.provide(key.to_vec()).map_err(host_error)
    }

    fn stop_providing(&self, key: &[u8]) -> PyResult<()> {
        self.native.stop_providing(key.to_vec()).map_err(host_error)
    }

    fn find_providers(&self, key: &[u8]) -> PyResult<u64> {
        self.native.find_providers(key.to_vec()).map_err(host_error)
    }

    fn bootstrap(&self) -> PyResult<()> {
        self.native.bootstrap().map_err(host_error)
    }

    fn accept_streams(&self, protocol: &str) -> PyResult<()> {
        let is_new = self
            .native
            .accept_streams(self::protocol(protocol)?)
            .map_err(host_error)?;
        if is_new {
            Ok(())
        } else {
            Err(PyValueError::new_err(format!(
                "already accepted: {protocol}"
            )))
        }
    }

    fn refuse_streams(&self, protocol: &str) -> PyResult<()> {
        self.native
            .refuse_streams(&self::protocol(protocol)?)
            .map_err(host_error)
    }

    fn open_stream(&self, peer_id: &str, protocol: &str) -> PyResult<u64> {
        self.native
            .open_stream(peer(peer_id)?, self::protocol(protocol)?)
            .map_err(host_error)
    }

    fn stream_grant(&self, stream_id: u64, count: u64) -> PyResult<()> {
        self.native
            .stream_grant(stream_id, count)
            .map_err(host_error)
    }

    fn stream_write(&self, py: Python<'_>, stream_id: u64, data: PyBuffer<u8>) -> PyResult<()> {
        self.native
            .stream_write(stream_id, data.to_vec(py)?)
            .map_err(host_error)
    }

    fn stream_close_write(&self, stream_id: u64) -> PyResult<()> {
        self.native
            .stream_close_write(stream_id)
            .map_err(host_error)
    }

    fn stream_reset(&self, stream_id: u64) -> PyResult<()> {
        self.native.stream_reset(stream_id).map_err(host_error)
    }

    fn panic_for_test(&self) -> PyResult<()> {
        self.native.panic_for_test().map_err(host_error)
    }
}

fn peer(text: &str) -> PyResult<PeerId> {
    parse_peer_id(text).map_err(config_error)
}

fn address(text: &str) -> PyResult<Multiaddr> {
    parse_address(text).map_err(config_error)
}

fn protocol(text: &str) -> PyResult<StreamProtocol> {
    parse_protocol(text).map_err(config_error)
}
