//! Gives a module what it imports: the interface's functions, and for every other a function that
//! ends the program when it is called.

use crate::run::Running;
use alloc::string::{String, ToString};
use tau_target_wasi::{Function, MAX_PARAMETERS, Refusal, State, Trap, find};
use wasmi::{Caller, Engine, Error, Extern, ExternType, FuncType, Linker, Module, Val, ValType};

/// What `module` imports, from this crate's interface or refused.
pub(crate) fn linker(engine: &Engine, module: &Module) -> Result<Linker<Running>, Refusal> {
    let mut linker = Linker::new(engine);
    for import in module.imports() {
        let (from, name) = (import.module().to_string(), import.name().to_string());
        let kind = match import.ty() {
            ExternType::Func(ty) => {
                define(&mut linker, from, name, ty)?;
                continue;
            }
            ExternType::Memory(_) => "memory",
            ExternType::Table(_) => "table",
            ExternType::Global(_) => "global",
        };
        return Err(Refusal::Import {
            kind,
            module: from,
            name,
        });
    }
    Ok(linker)
}

fn define(
    linker: &mut Linker<Running>,
    module: String,
    name: String,
    ty: &FuncType,
) -> Result<(), Refusal> {
    // The same import may stand in a module twice.
    linker.allow_shadowing(true);
    let done = match find(&module, &name) {
        Some(function) if *ty == type_of(function) => {
            linker.func_new(&module, &name, ty.clone(), move |caller, given, results| {
                call(caller, function, given, results)
            })
        }
        // One of another type is not the function of that name.
        _ => {
            let (from, of) = (module.clone(), name.clone());
            linker.func_new(&module, &name, ty.clone(), move |mut caller, _, _| {
                let state: &mut State = caller.data_mut().state_mut();
                Err(Error::host(Ended(state.end_unknown(&from, &of))))
            })
        }
    };
    done.map(|_| ())
        .map_err(|error| Refusal::Invalid(error.to_string()))
}

fn type_of(function: &Function) -> FuncType {
    let parameters = function.parameters.bytes().map(|letter| match letter {
        b'I' => ValType::I64,
        _ => ValType::I32,
    });
    FuncType::new(parameters, function.returns.then_some(ValType::I32))
}

/// Calls a function of the interface with the memory of the program that calls it.
fn call(
    mut caller: Caller<'_, Running>,
    function: &'static Function,
    given: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut arguments = [0; MAX_PARAMETERS];
    for (argument, value) in arguments.iter_mut().zip(given) {
        *argument = match value {
            Val::I32(value) => u64::from(*value as u32),
            Val::I64(value) => *value as u64,
            _ => 0,
        };
    }
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let answer = match memory {
        Some(memory) => {
            let (bytes, running) = memory.data_and_store_mut(&mut caller);
            function.call(running.state_mut(), bytes, arguments)
        }
        None => function.call(caller.data_mut().state_mut(), &mut [], arguments),
    };
    let errno = answer.map_err(|stop| Error::host(Ended(stop)))?;
    pay(&mut caller)?;
    if let Some(result) = results.first_mut() {
        *result = Val::I32(errno);
    }
    Ok(())
}

/// Takes what the call cost from the program's fuel, first from what it has not been given yet.
fn pay(caller: &mut Caller<'_, Running>) -> Result<(), Error> {
    let mut charge = caller.data_mut().state_mut().take_charge();
    let reserve = caller.data_mut().reserve_mut();
    let from_reserve = charge.min(*reserve);
    *reserve -= from_reserve;
    charge -= from_reserve;
    if charge == 0 {
        return Ok(());
    }
    let left = caller.get_fuel()?.checked_sub(charge);
    caller.set_fuel(left.unwrap_or(0))?;
    if left.is_none() {
        let state = caller.data_mut().state_mut();
        return Err(Error::host(Ended(state.end(Trap::Fuel))));
    }
    Ok(())
}

/// How the interpreter is told that the program has ended; the state knows how.
#[derive(Debug)]
pub(crate) struct Ended(tau_target_wasi::Stop);

impl core::fmt::Display for Ended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

impl wasmi::errors::HostError for Ended {}
