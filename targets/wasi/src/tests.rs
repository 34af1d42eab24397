use crate::{
    Call, Errno, FUNCTIONS, Grant, Growth, Limits, MAX_PARAMETERS, MODULE, Memory, Refusal, State,
    Stop, Trap, World, check_header, find,
};
use alloc::{collections::BTreeSet, string::ToString, vec, vec::Vec};

fn state(grant: &Grant, limits: &Limits) -> State {
    State::new(Call {
        grant,
        limits,
        world: World::still(Vec::new()),
    })
}

/// Calls a function of preview 1 on a page of zeroes.
fn call(state: &mut State, memory: &mut [u8], name: &str, given: &[u64]) -> Result<i32, Stop> {
    let mut arguments = [0; MAX_PARAMETERS];
    arguments[..given.len()].copy_from_slice(given);
    let function = find(MODULE, name).expect("a function of the table");
    assert_eq!(function.parameters.len(), given.len(), "{name}");
    function.call(state, memory, arguments)
}

#[test]
fn every_function_of_preview_1_is_there_once() {
    let names: BTreeSet<_> = FUNCTIONS.iter().map(|f| (f.module, f.name)).collect();
    assert_eq!(names.len(), FUNCTIONS.len());
    assert_eq!(
        names.iter().filter(|(module, _)| *module == MODULE).count(),
        46
    );
    for function in FUNCTIONS {
        assert!(function.parameters.len() <= MAX_PARAMETERS);
        let known = function
            .parameters
            .bytes()
            .all(|letter| matches!(letter, b'i' | b'I'));
        assert!(known, "{}", function.name);
        assert_eq!(function.returns, function.name != "proc_exit");
    }
}

#[test]
fn addresses_outside_of_the_memory_are_faults() {
    let mut bytes = [7; 8];
    let mut memory = Memory::new(&mut bytes);
    assert_eq!(memory.u64(0), Ok(0x0707_0707_0707_0707));
    assert_eq!(memory.u8(8), Err(Errno::Fault));
    assert_eq!(memory.u32(5), Err(Errno::Fault));
    assert_eq!(memory.bytes(u32::MAX, u32::MAX), Err(Errno::Fault));
    assert_eq!(memory.put(7, &[1, 2]), Err(Errno::Fault));
    assert_eq!(memory.pieces(0, u32::MAX), Err(Errno::Fault));
    assert_eq!(memory.pieces(0, 1), Ok(vec![(0x0707_0707, 0x0707_0707)]));
    memory.put(0, &[0xff]).unwrap();
    assert_eq!(memory.text(0, 1), Err(Errno::IllegalBytes));
}

#[test]
fn no_arguments_make_a_function_panic() {
    let extremes = [0, 1, 3, 4, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 63];
    let grant = Grant::default();
    for function in FUNCTIONS {
        for (first, second) in extremes.iter().flat_map(|a| extremes.map(|b| (*a, b))) {
            let mut state = state(&grant, &Limits::default());
            let mut memory = vec![0xff; 4096];
            let mut arguments = [second; MAX_PARAMETERS];
            arguments[0] = first;
            let _ = function.call(&mut state, &mut memory, arguments);
            let _ = function.call(&mut state, &mut [], arguments);
        }
    }
}

#[test]
fn a_header_says_what_a_file_is() {
    assert_eq!(check_header(b"\0asm\x01\0\0\0"), Ok(()));
    assert_eq!(check_header(b"\0asm\x0d\0\x01\0"), Err(Refusal::Component));
    assert_eq!(check_header(b"\0asm\x02\0\0\0"), Err(Refusal::Version(2)));
    assert_eq!(check_header(b"\0as"), Err(Refusal::NotWasm));
    assert!(matches!(
        check_header(b"\0asm\x01"),
        Err(Refusal::Invalid(_))
    ));
}

#[test]
fn growth_past_a_limit_ends_and_past_the_modules_own_does_not() {
    let limits = Limits {
        memory_bytes: 100,
        table_elements: 10,
        ..Limits::default()
    };
    let mut growth = Growth::new(&limits);
    assert_eq!(growth.memory(100, None), Ok(true));
    assert_eq!(growth.memory(200, Some(150)), Ok(false));
    assert_eq!(growth.table(0, 6, None), Ok(true));
    // A second table: they count together.
    assert_eq!(growth.table(0, 4, None), Ok(true));
    assert_eq!(growth.table(4, 5, None), Err(Trap::Table));
    assert_eq!(
        growth.memory(101, None),
        Err(Trap::Table),
        "the first end counts"
    );
    let grant = Grant::default();
    let outcome = state(&grant, &limits).finish(growth, Ok(()), 0);
    assert_eq!(outcome.trap, Some(Trap::Table));
    assert_eq!(outcome.memory_bytes, 100);
}

#[test]
fn what_the_home_does_is_on_the_programs_bill() {
    let grant = Grant::default();
    let mut state = state(&grant, &Limits::default());
    let mut memory = vec![0; 4096];
    assert_eq!(call(&mut state, &mut memory, "sched_yield", &[]), Ok(0));
    let idle = state.take_charge();
    assert_eq!(state.take_charge(), 0, "it is taken once");
    assert_eq!(
        call(&mut state, &mut memory, "random_get", &[0, 4096]),
        Ok(0)
    );
    assert!(state.take_charge() >= idle + 4096);
}

#[test]
fn only_so_many_files_are_open_at_once() {
    let grant = Grant {
        dirs: vec![crate::Dir {
            host: "".to_string(),
            guest: "/".to_string(),
            writes: false,
        }],
        ..Grant::default()
    };
    let mut world = World::still(Vec::new());
    world.dirs.push(alloc::boxed::Box::new(crate::Tree::new()));
    let limits = Limits::default();
    let mut state = State::new(Call {
        grant: &grant,
        limits: &limits,
        world,
    });
    let mut memory = vec![0; 64];
    memory[0] = b'.';
    let mut open = || {
        call(
            &mut state,
            &mut memory,
            "path_open",
            &[3, 0, 0, 1, 2, 0, 0, 0, 8],
        )
    };
    for _ in 4..crate::MAX_OPEN_FILES {
        assert_eq!(open(), Ok(0));
    }
    assert_eq!(open(), Ok(Errno::TooManyFiles as i32));
}

#[test]
fn trap_names_are_stable() {
    let names: Vec<_> = [
        Trap::Fuel,
        Trap::Memory,
        Trap::Table,
        Trap::Stack,
        Trap::Deadline,
        Trap::Output,
        Trap::Unreachable,
        Trap::DivideByZero,
        Trap::IntegerOverflow,
        Trap::BadConversion,
        Trap::Bounds,
        Trap::TableBounds,
        Trap::NullFunction,
        Trap::BadSignature,
        Trap::Denied("env.f".to_string()),
    ]
    .iter()
    .map(|trap| trap.name().into_owned())
    .collect();
    assert_eq!(
        names.join(" "),
        "fuel memory table stack deadline output unreachable divide_by_zero integer_overflow \
         bad_conversion bounds table_bounds null_function bad_signature denied:env.f"
    );
}

/// Answers by host, and remembers nothing.
struct Hosts;

impl crate::Reach for Hosts {
    fn request(
        &mut self,
        request: &[u8],
        hosts: &[alloc::string::String],
        wait_ns: u64,
    ) -> Result<Vec<u8>, crate::Unreached> {
        assert_eq!(hosts, ["example.org"]);
        assert!(wait_ns > 0);
        match request {
            b"good" => Ok(b"{\"status\":200}".to_vec()),
            b"away" => Err(crate::Unreached::Failed {
                reason: "no \"route\"\n".to_string(),
            }),
            _ => Err(crate::Unreached::Denied {
                reason: "not a granted host".to_string(),
            }),
        }
    }
}

/// Sends a request and reads its answer in pieces of five bytes.
fn ask(state: &mut State, request: &[u8]) -> (i32, Vec<u8>) {
    let mut memory = vec![0; 256];
    memory[..request.len()].copy_from_slice(request);
    let mut tau = |memory: &mut [u8], name: &str, given: [u64; 3]| {
        let mut arguments = [0; MAX_PARAMETERS];
        arguments[..3].copy_from_slice(&given);
        let function = find(crate::TAU, name).expect("a function of Tau's");
        function.call(state, memory, arguments).expect("it goes on")
    };
    let errno = tau(&mut memory, "http", [0, request.len() as u64, 100]);
    let length = Memory::new(&mut memory).u32(100).unwrap() as usize;
    let mut answer = Vec::new();
    loop {
        assert_eq!(tau(&mut memory, "http_read", [200, 5, 104]), 0);
        let count = Memory::new(&mut memory).u32(104).unwrap() as usize;
        if count == 0 {
            assert_eq!(answer.len(), length);
            return (errno, answer);
        }
        answer.extend_from_slice(&memory[200..200 + count]);
    }
}

#[test]
fn a_request_is_answered_or_says_why_not() {
    let grant = Grant {
        hosts: vec!["example.org".to_string()],
        ..Grant::default()
    };
    let limits = Limits::default();
    let mut world = World::still(Vec::new());
    world.reach = Some(alloc::boxed::Box::new(Hosts));
    let mut state = State::new(Call {
        grant: &grant,
        limits: &limits,
        world,
    });
    assert_eq!(ask(&mut state, b"good"), (0, b"{\"status\":200}".to_vec()));
    let failed = b"{\"error\":\"failed\",\"reason\":\"no \\\"route\\\"\\u000a\"}";
    assert_eq!(
        ask(&mut state, b"away"),
        (Errno::Io as i32, failed.to_vec())
    );
    let denied = b"{\"error\":\"denied\",\"reason\":\"not a granted host\"}";
    assert_eq!(
        ask(&mut state, b"else"),
        (Errno::Access as i32, denied.to_vec())
    );
    let outcome = state.finish(Growth::new(&limits), Ok(()), 0);
    assert_eq!(outcome.denials, ["http: not a granted host"]);
}
