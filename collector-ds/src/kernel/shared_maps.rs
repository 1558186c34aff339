//! The maps of the programs: made once, and used by programs that are loaded later as well.

use super::SensorError;
use aya::Ebpf;
use aya::maps::{Map, MapData, MapError};
use nix::libc;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Maps by their names in the object.
pub struct SharedMaps {
    maps: BTreeMap<String, Map>,
    /// Of those that were taken as well.
    descriptors: BTreeMap<String, OwnedFd>,
}

impl SharedMaps {
    /// Those of an object whose programs are still to be loaded.
    pub fn of(object: &mut Ebpf) -> io::Result<Self> {
        let names: Vec<String> = object.maps().map(|(name, _)| name.to_owned()).collect();
        let (mut maps, mut descriptors) = (BTreeMap::new(), BTreeMap::new());
        for name in names {
            let Some(map) = object.take_map(&name) else { continue };
            descriptors.insert(name.clone(), data(&map)?.fd().as_fd().try_clone_to_owned()?);
            maps.insert(name, map);
        }
        Ok(Self { maps, descriptors })
    }

    /// Takes a map out, as what it is. Programs that are loaded later use it all the same.
    pub fn take<T: TryFrom<Map, Error = MapError>>(
        &mut self,
        name: &'static str,
    ) -> Result<T, SensorError> {
        let map = self.maps.remove(name).ok_or(SensorError::NoMap(name))?;
        T::try_from(map).map_err(|source| SensorError::Map { name, source })
    }

    /// A map that was not taken out.
    pub fn map_mut(&mut self, name: &str) -> Option<&mut Map> {
        self.maps.get_mut(name)
    }

    /// Has the programs of another copy of the object, which are still to be loaded, use these maps in place of its own: they know maps by the
    /// numbers of their descriptors.
    pub fn lend_to(&self, object: &Ebpf) -> io::Result<()> {
        for (name, map) in object.maps() {
            let ours = self.descriptors.get(name).ok_or_else(|| {
                io::Error::other(format!("the map {name} was not there at the start"))
            })?;
            let place = data(map)?.fd().as_fd().as_raw_fd();
            // SAFETY: both are open, and the place stays its owner's, who closes it: it stands for another map from now on.
            let placed = unsafe { libc::dup3(ours.as_raw_fd(), place, libc::O_CLOEXEC) };
            if placed < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Of the kinds of maps that the programs have.
fn data(map: &Map) -> io::Result<&MapData> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LpmTrie(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::ProgramArray(data)
        | Map::RingBuf(data) => Ok(data),
        other => Err(io::Error::other(format!("no program has a map such as {other:?}"))),
    }
}
