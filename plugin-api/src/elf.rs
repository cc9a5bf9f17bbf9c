//! Looks at a file before the dynamic linker does, which dies of a truncated one (SIGBUS) and runs the
//! initialisers of whatever it is given.

use std::fs::{File, Metadata};
use std::path::Path;

use object::elf::{self, Machine};
use object::read::elf::{ElfFile, FileHeader as _, ProgramHeader as _};
use object::{NativeEndian, Object as _, ObjectSymbol as _, ReadCache};

use crate::loader::LoadProblem;

#[cfg(target_pointer_width = "64")]
type Header = elf::FileHeader64<NativeEndian>;
#[cfg(target_pointer_width = "32")]
type Header = elf::FileHeader32<NativeEndian>;

const MACHINE: Machine = if cfg!(target_arch = "x86_64") {
    elf::EM_X86_64
} else if cfg!(target_arch = "x86") {
    elf::EM_386
} else if cfg!(target_arch = "aarch64") {
    elf::EM_AARCH64
} else if cfg!(target_arch = "arm") {
    elf::EM_ARM
} else if cfg!(target_arch = "riscv64") {
    elf::EM_RISCV
} else if cfg!(target_arch = "powerpc64") {
    elf::EM_PPC64
} else if cfg!(target_arch = "s390x") {
    elf::EM_S390
} else {
    elf::EM_NONE
};

/// Checks that `path` is a shared object for this machine, complete, and that it exports `symbol`.
pub(crate) fn check(path: &Path, symbol: &str) -> Result<(), LoadProblem> {
    let metadata = check_kind(path)?;
    let file = File::open(path)?;
    let data = &ReadCache::new(file);
    let header = Header::parse(data).map_err(not_shared)?;
    let endian = header.endian().map_err(not_shared)?;
    if header.e_type(endian) != elf::ET_DYN {
        return Err(LoadProblem::NotShared("it is an ELF file of another type".to_owned()));
    }
    if header.e_machine(endian) != MACHINE {
        return Err(LoadProblem::OtherMachine { theirs: header.e_machine(endian).0, ours: MACHINE.0 });
    }
    complete(header, endian, data, metadata.len())?;
    let file = ElfFile::<Header, _>::parse(data).map_err(not_shared)?;
    let exported = file.dynamic_symbols().any(|it| it.is_definition() && it.name() == Ok(symbol));
    if exported { Ok(()) } else { Err(LoadProblem::NotAPlugin) }
}

/// Looks at what kind of file it is before it is opened: to open a named pipe would wait for a writer.
pub(crate) fn check_kind(path: &Path) -> Result<Metadata, LoadProblem> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        Ok(metadata)
    } else {
        Err(LoadProblem::NotShared("it is no regular file".to_owned()))
    }
}

/// Checks that all that the headers speak of is there.
#[allow(clippy::useless_conversion, reason = "the words of 32-bit headers are u32")]
fn complete(
    header: &Header,
    endian: NativeEndian,
    data: &ReadCache<File>,
    present: u64,
) -> Result<(), LoadProblem> {
    let enough = |needed: u64| {
        if needed <= present { Ok(()) } else { Err(LoadProblem::Incomplete { needed, present }) }
    };
    let table =
        |offset: u64, entries: u16, size: u16| offset.saturating_add(u64::from(entries) * u64::from(size));
    enough(table(header.e_phoff(endian).into(), header.e_phnum(endian), header.e_phentsize(endian)))?;
    // Linkers write this table last.
    enough(table(header.e_shoff(endian).into(), header.e_shnum(endian), header.e_shentsize(endian)))?;
    for segment in header.program_headers(endian, data).map_err(not_shared)? {
        let (offset, size): (u64, u64) = (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        enough(offset.saturating_add(size))?;
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_shared(error: object::Error) -> LoadProblem {
    LoadProblem::NotShared(error.to_string())
}
