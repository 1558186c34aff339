use super::{Call, CallShape, Hook, Probe, calls, entry};
use crate::RecordKind;
use event_model::NetworkAct;

/// Acts on sockets, and the domain name system. The end of system calls serves only what the kernel offers no better hook
/// for: what is done through `io_uring` is not seen there.
pub const PROBES: &[Probe] = &[
    network(
        NetworkAct::Socket,
        &[
            Hook::Together { hooks: &[SOCKET_REFUSED, SOCKET_MADE] },
            Hook::Lsm { program: "network_socket_lsm", hook: "socket_post_create" },
            Hook::Function {
                program: "network_socket_function",
                function: "security_socket_post_create",
            },
            at_end("network_socket_call", &[calls::SOCKET]),
        ],
    ),
    // TCP.
    network(NetworkAct::Connect, TCP_STATE),
    network(
        NetworkAct::Connect,
        &[Hook::Tracepoint { program: "network_tcp_trying", tracepoint: "tcp_retransmit_skb" }],
    ),
    // Datagram and raw sockets, which are given their other end.
    network(
        NetworkAct::Connect,
        &[
            Hook::Return { program: "network_connect_datagram", function: "inet_dgram_connect" },
            at_end("network_connect_call", &[calls::CONNECT]),
        ],
    ),
    // Unix sockets.
    network(
        NetworkAct::Connect,
        &[
            Hook::Return {
                program: "network_connect_unix_returned",
                function: "security_unix_stream_connect",
            },
            Hook::Lsm { program: "network_connect_unix_lsm", hook: "unix_stream_connect" },
            Hook::Function {
                program: "network_connect_unix_function",
                function: "security_unix_stream_connect",
            },
            at_end("network_connect_call", &[calls::CONNECT]),
        ],
    ),
    network(NetworkAct::Accept, ACCEPT),
    network(
        NetworkAct::Bind,
        &[
            Hook::Return { program: "network_bind_ipv4", function: "inet_bind" },
            at_end("network_bind_call", &[calls::BIND]),
        ],
    ),
    network(
        NetworkAct::Bind,
        &[
            Hook::Return { program: "network_bind_ipv6", function: "inet6_bind" },
            at_end("network_bind_call", &[calls::BIND]),
        ],
    ),
    network(NetworkAct::Listen, TCP_STATE),
    network(NetworkAct::Datagram, EGRESS),
    // The end of a connection, and whose it was: known from its beginning.
    network(NetworkAct::Close, TCP_STATE),
    network(NetworkAct::Close, ACCEPT),
    // Questions, and answers.
    Probe { kind: RecordKind::Dns, hooks: EGRESS },
    Probe {
        kind: RecordKind::Dns,
        hooks: &[Hook::Packets { program: "network_ingress", egress: false }],
    },
];

const SOCKET_REFUSED: Hook =
    Hook::Return { program: "network_socket_refused", function: entry!("socket") };
const SOCKET_MADE: Hook =
    Hook::Return { program: "network_socket_returned", function: "security_socket_post_create" };

const TCP_STATE: &[Hook] =
    &[Hook::Tracepoint { program: "network_tcp_state", tracepoint: "inet_sock_set_state" }];

const ACCEPT: &[Hook] = &[
    Hook::Lsm { program: "network_accept_lsm", hook: "sock_graft" },
    Hook::Function { program: "network_accept_function", function: "security_sock_graft" },
    at_end("network_accept_call", &[calls::ACCEPT, calls::ACCEPT4]),
];

const EGRESS: &[Hook] = &[Hook::Packets { program: "network_egress", egress: true }];

const fn network(act: NetworkAct, hooks: &'static [Hook]) -> Probe {
    Probe { kind: RecordKind::Network(act), hooks }
}

const fn at_end(program: &'static str, calls: &'static [Call]) -> Hook {
    Hook::Calls { program, shape: CallShape::ByNumber, calls }
}
