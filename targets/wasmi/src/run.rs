//! One run: a fresh store, fuel in slices, and the end in the interface's words.

use alloc::format;
use tau_target_wasi::{Call, Growth, Outcome, State, Trap};
use wasmi::{
    Error, Linker, Module, ResourceLimiter, Store, TrapCode, TypedResumableCall, errors::ErrorKind,
};
use wasmi_core::LimiterError;

/// How much fuel a program gets at once: some milliseconds of it, so that a deadline is met closely.
const SLICE_FUEL: u64 = 1_000_000;

/// What a module's start function may use. It runs before anything could look at the deadline.
const START_FUEL: u64 = 10_000_000;

/// What a store holds: the state, and the fuel that the program has left but was not given yet.
pub(crate) struct Running {
    state: State,
    growth: Growth,
    reserve: u64,
}

impl Running {
    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    pub(crate) fn reserve_mut(&mut self) -> &mut u64 {
        &mut self.reserve
    }
}

impl ResourceLimiter for Running {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let maximum = maximum.map(|maximum| maximum as u64);
        decided(self.growth.memory(desired as u64, maximum))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let maximum = maximum.map(|maximum| maximum as u64);
        decided(self.growth.table(current as u64, desired as u64, maximum))
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        100
    }

    fn memories(&self) -> usize {
        1
    }
}

fn decided(decision: Result<bool, Trap>) -> Result<bool, LimiterError> {
    decision.map_err(|_| LimiterError::ResourceLimiterDeniedAllocation)
}

/// Runs `module` once.
pub(crate) fn run(module: &Module, linker: &Linker<Running>, call: Call<'_>) -> Outcome {
    let fuel = call.limits.fuel;
    let running = Running {
        growth: Growth::new(call.limits),
        state: State::new(call),
        reserve: fuel,
    };
    let mut store = Store::new(linker.engine(), running);
    store.limiter(|running| running);
    let ended = go(&mut store, module, linker);
    let left = store.get_fuel().unwrap_or(0) + store.data().reserve;
    let Running { state, growth, .. } = store.into_data();
    let ended = ended.map_err(|error| trap(&error));
    state.finish(growth, ended, fuel.saturating_sub(left))
}

fn go(store: &mut Store<Running>, module: &Module, linker: &Linker<Running>) -> Result<(), Error> {
    give(store, START_FUEL)?;
    let instance = linker.instantiate_and_start(&mut *store, module)?;
    let start = instance.get_typed_func::<(), ()>(&*store, "_start")?;
    let mut call = start.call_resumable(&mut *store, ())?;
    loop {
        call = match call {
            TypedResumableCall::Finished(()) => return Ok(()),
            // The state knows which function ended it, and why.
            TypedResumableCall::HostTrap(_) => return Err(Error::new("ended by the home")),
            TypedResumableCall::OutOfFuel(paused) => {
                if let Err(stop) = store.data_mut().state.left_ns() {
                    return Err(Error::new(format!("{stop}")));
                }
                let wanted = paused.required_fuel();
                if !give(store, wanted.max(SLICE_FUEL))? && store.get_fuel()? < wanted {
                    return Err(Error::from(TrapCode::OutOfFuel));
                }
                paused.resume(&mut *store)?
            }
        };
    }
}

/// Adds up to `fuel` to what the program may use at once; says whether there was that much.
fn give(store: &mut Store<Running>, fuel: u64) -> Result<bool, Error> {
    let reserve = store.data_mut().reserve_mut();
    let given = fuel.min(*reserve);
    *reserve -= given;
    let left = store.get_fuel()?;
    store.set_fuel(left + given)?;
    Ok(given == fuel)
}

/// The interface's name for what the interpreter says.
fn trap(error: &Error) -> Trap {
    if let Some(code) = error.as_trap_code() {
        return match code {
            TrapCode::UnreachableCodeReached => Trap::Unreachable,
            TrapCode::MemoryOutOfBounds => Trap::Bounds,
            TrapCode::TableOutOfBounds => Trap::TableBounds,
            TrapCode::IndirectCallToNull => Trap::NullFunction,
            TrapCode::IntegerDivisionByZero => Trap::DivideByZero,
            TrapCode::IntegerOverflow => Trap::IntegerOverflow,
            TrapCode::BadConversionToInteger => Trap::BadConversion,
            TrapCode::StackOverflow => Trap::Stack,
            TrapCode::BadSignature => Trap::BadSignature,
            TrapCode::OutOfFuel => Trap::Fuel,
            TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory => Trap::Memory,
        };
    }
    match error.kind() {
        ErrorKind::Memory(_) => Trap::Memory,
        ErrorKind::Table(_) => Trap::Table,
        other => Trap::Other(format!("{other}")),
    }
}
