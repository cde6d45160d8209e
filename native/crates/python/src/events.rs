//! The events as Python sees them: frozen, one class each.

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::pyclass_init::PyClassInitializer;
use pyo3::types::{PyBytes, PyList};

use logos_p2p::{Event, Multiaddr, PeerId, Topic};

/// Declares a frozen class that shows its fields.
macro_rules! event {
    ($name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        #[pyclass(frozen, get_all, module = "logos_native")]
        pub struct $name {
            $($field: $type,)+
        }

        #[pymethods]
        impl $name {
            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                let mut fields = Vec::new();
                $(
                    let value = slf.getattr(stringify!($field))?.repr()?.to_string();
                    fields.push(format!("{}={}", stringify!($field), value));
                )+
                Ok(format!("{}({})", stringify!($name), fields.join(", ")))
            }
        }
    };
}

event!(Traffic {
    since_unix_us: u64,
    received_messages: u64,
    received_bytes: u64,
    sent_messages: u64,
    sent_bytes: u64,
});

impl From<logos_p2p::Traffic> for Traffic {
    fn from(traffic: logos_p2p::Traffic) -> Self {
        Self {
            since_unix_us: traffic.since_unix_us,
            received_messages: traffic.received_messages,
            received_bytes: traffic.received_bytes,
            sent_messages: traffic.sent_messages,
            sent_bytes: traffic.sent_bytes,
        }
    }
}

event!(Listening { address: String });
event!(Connected {
    peer_id: String,
    address: String,
    outbound: bool,
    connections: u32,
});
event!(Disconnected {
    peer_id: String,
    connections: u32,
    reason: String,
});
event!(DialDone {
    request_id: u64,
    peer_id: Option<String>,
    error: Option<String>,
});
event!(Identified {
    peer_id: String,
    agent: String,
    protocols: Vec<String>,
    listen_addresses: Vec<String>,
});
event!(Pinged {
    peer_id: String,
    round_trip_us: u64,
});
event!(Message {
    topic: String,
    message_id: Py<PyBytes>,
    data: Py<PyBytes>,
    from_peer_id: String,
    received_unix_us: u64,
});
event!(MessagesLost {
    topic: String,
    count: u64,
});
event!(PublishDone {
    request_id: u64,
    error: Option<String>,
});
event!(TopicsListed {
    request_id: u64,
    topics: Vec<TopicParts>,
});
event!(ProvidersFound {
    request_id: u64,
    providers: Vec<(String, Vec<String>)>,
    done: bool,
});
event!(ProvideDone {
    request_id: u64,
    error: Option<String>,
});
event!(StreamOpened {
    request_id: u64,
    stream_id: Option<u64>,
    error: Option<&'static str>,
});
event!(StreamIncoming {
    stream_id: u64,
    peer_id: String,
    protocol: String,
});
event!(StreamData {
    stream_id: u64,
    data: Py<PyBytes>,
});
event!(StreamWritten {
    stream_id: u64,
    count: u64,
});
event!(StreamEnded { stream_id: u64 });
event!(StreamClosed {
    stream_id: u64,
    error: Option<&'static str>,
});

/// Makes a list of all events at once.
pub fn to_list(py: Python<'_>, events: Vec<Event>) -> PyResult<Bound<'_, PyList>> {
    let objects: Vec<Bound<'_, PyAny>> = events
        .into_iter()
        .map(|event| to_object(py, event))
        .collect::<PyResult<_>>()?;
    PyList::new(py, objects)
}

fn to_object(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::Listening { address } => object(
            py,
            Listening {
                address: address.to_string(),
            },
        ),
        Event::Connected {
            peer,
            address,
            outbound,
            connections,
        } => object(
            py,
            Connected {
                peer_id: peer.to_base58(),
                address: address.to_string(),
                outbound,
                connections,
            },
        ),
        Event::Disconnected {
            peer,
            connections,
            reason,
        } => object(
            py,
            Disconnected {
                peer_id: peer.to_base58(),
                connections,
                reason,
            },
        ),
        Event::DialDone { request, outcome } => {
            let (peer_id, error) = split(outcome.map(PeerId::to_base58));
            object(
                py,
                DialDone {
                    request_id: request,
                    peer_id,
                    error,
                },
            )
        }
        Event::Identified {
            peer,
            agent,
            protocols,
            listen_addresses,
        } => object(
            py,
            Identified {
                peer_id: peer.to_base58(),
                agent,
                protocols,
                listen_addresses: texts(&listen_addresses),
            },
        ),
        Event::Pinged {
            peer,
            round_trip_us,
        } => object(
            py,
            Pinged {
                peer_id: peer.to_base58(),
                round_trip_us,
            },
        ),
        other => gossip_object(py, other),
    }
}

fn gossip_object(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::Message(message) => object(
            py,
            Message {
                topic: message.topic,
                message_id: bytes(py, &message.message_id),
                data: bytes(py, &message.data),
                from_peer_id: message.from.to_base58(),
                received_unix_us: message.received_unix_us,
            },
        ),
        Event::MessagesLost { topic, count } => object(py, MessagesLost { topic, count }),
        Event::PublishDone { request, error } => object(
            py,
            PublishDone {
                request_id: request,
                error,
            },
        ),
        Event::TopicsListed { request, topics } => object(
            py,
            TopicsListed {
                request_id: request,
                topics: topics.into_iter().map(topic_parts).collect(),
            },
        ),
        other => discovery_object(py, other),
    }
}

/// A topic, its followers with their scores, and those of them that are in the mesh.
type TopicParts = (String, Vec<(String, f64)>, Vec<String>);

fn topic_parts(topic: Topic) -> TopicParts {
    let followers = topic.followers.into_iter();
    (
        topic.topic,
        followers
            .map(|(peer, score)| (peer.to_string(), score))
            .collect(),
        topic.mesh.iter().map(ToString::to_string).collect(),
    )
}

fn discovery_object(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::ProvidersFound {
            request,
            providers,
            done,
        } => object(
            py,
            ProvidersFound {
                request_id: request,
                providers: providers
                    .into_iter()
                    .map(|(peer, addresses)| (peer.to_base58(), texts(&addresses)))
                    .collect(),
                done,
            },
        ),
        Event::ProvideDone { request, error } => object(
            py,
            ProvideDone {
                request_id: request,
                error,
            },
        ),
        other => stream_object(py, other),
    }
}

fn stream_object(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::StreamOpened { request, outcome } => {
            let (stream_id, error) = split(outcome);
            object(
                py,
                StreamOpened {
                    request_id: request,
                    stream_id,
                    error,
                },
            )
        }
        Event::StreamIncoming {
            stream,
            peer,
            protocol,
        } => object(
            py,
            StreamIncoming {
                stream_id: stream,
                peer_id: peer.to_base58(),
                protocol,
            },
        ),
        Event::StreamData { stream, data } => object(
            py,
            StreamData {
                stream_id: stream,
                data: bytes(py, &data),
            },
        ),
        Event::StreamWritten { stream, count } => object(
            py,
            StreamWritten {
                stream_id: stream,
                count,
            },
        ),
        Event::StreamEnded { stream } => object(py, StreamEnded { stream_id: stream }),
        Event::StreamClosed { stream, error } => object(
            py,
            StreamClosed {
                stream_id: stream,
                error,
            },
        ),
        other => unreachable!("an event without a class: {other:?}"),
    }
}

fn object<'py, T>(py: Python<'py>, event: T) -> PyResult<Bound<'py, PyAny>>
where
    T: PyClass + Into<PyClassInitializer<T>>,
{
    Ok(Bound::new(py, event)?.into_any())
}

fn bytes(py: Python<'_>, data: &[u8]) -> Py<PyBytes> {
    PyBytes::new(py, data).unbind()
}

fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn split<T, E>(outcome: Result<T, E>) -> (Option<T>, Option<E>) {
    match outcome {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    }
}
