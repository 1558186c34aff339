//! Which program handles which system call at its end.

use aya::Pod;
use aya::maps::{Array, MapData, MapError};
use ebpf_probes::{Call, CallShape, RecordKind};

/// `NATIVE_CALLS` of `bpf/call.h`: numbers of 32-bit calls begin here.
const COMPAT_CALLS: u32 = 512;

/// `struct call_route` of `bpf/call.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CallRoute {
    handler: u16,
    kind: u16,
    shape: u16,
    /// Set by [`CallRoutes`].
    either: u16,
}

// SAFETY: four integers without padding: any bytes are a value.
unsafe impl Pod for CallRoute {}

impl CallRoute {
    pub const fn new(handler: u16, kind: RecordKind, shape: CallShape) -> Self {
        Self { handler, kind: kind.number(), shape: shape as u16, either: 0 }
    }
}

/// The map `call_routes`, by number of the call.
pub struct CallRoutes(Array<MapData, CallRoute>);

impl CallRoutes {
    pub const fn new(map: Array<MapData, CallRoute>) -> Self {
        Self(map)
    }

    /// The native call of a number tells whether anybody handles it or its 32-bit twin: few calls need more than that look.
    pub fn give(&mut self, call: &Call, route: CallRoute) -> Result<(), MapError> {
        if let Some(number) = call.native {
            self.0.set(u32::from(number), CallRoute { either: 1, ..route }, 0)?;
        }
        if let Some(number) = call.compat.map(u32::from) {
            self.0.set(COMPAT_CALLS + number, route, 0)?;
            let native = self.0.get(&number, 0)?;
            self.0.set(number, CallRoute { either: 1, ..native }, 0)?;
        }
        Ok(())
    }

    /// Nobody handles a call any more, where that kind did.
    pub fn take_away(&mut self, call: Call, kind: RecordKind) -> Result<(), MapError> {
        let none = CallRoute { handler: 0, kind: 0, shape: 0, either: 0 };
        for number in call.native.map(u32::from).into_iter().chain(compat_place(call)) {
            let route = self.0.get(&number, 0)?;
            if route.kind == kind.number() {
                self.0.set(number, CallRoute { either: route.either, ..none }, 0)?;
            }
        }
        for number in [call.native, call.compat].into_iter().flatten().map(u32::from) {
            let (native, compat) =
                (self.0.get(&number, 0)?, self.0.get(&(COMPAT_CALLS + number), 0)?);
            let either = u16::from(native.handler != 0 || compat.handler != 0);
            self.0.set(number, CallRoute { either, ..native }, 0)?;
        }
        Ok(())
    }
}

fn compat_place(call: Call) -> Option<u32> {
    call.compat.map(|number| COMPAT_CALLS + u32::from(number))
}
