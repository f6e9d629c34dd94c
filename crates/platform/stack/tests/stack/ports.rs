//! Ports of parallel processes never collide.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use stack::Port;

const PROCESSES: usize = 4;
const EACH: usize = 40;

#[test]
fn one_process_gets_different_ports() {
    let ports: Vec<Port> = (0..EACH).map(|_| Port::any().unwrap()).collect();
    let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
    assert_eq!(numbers.len(), EACH);
}

#[test]
fn preferred_port_is_taken_when_free_and_replaced_when_not() {
    let first = Port::any().unwrap();
    let number = first.number();
    let second = Port::prefer(number).unwrap();
    assert_ne!(second.number(), number);
    drop(first);
    assert_eq!(Port::prefer(number).unwrap().number(), number);
}

#[test]
fn port_in_use_by_a_stranger_is_not_handed_out() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = stranger.local_addr().unwrap().port();
    assert_ne!(Port::prefer(number).unwrap().number(), number);
}

#[test]
fn parallel_processes_get_different_ports() {
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| holder()).collect();
    let mut numbers = HashSet::new();
    for child in &mut children {
        let output = BufReader::new(child.stdout.as_mut().unwrap());
        let ports: Vec<u16> = output
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.split_once("port=")?.1.parse().ok())
            .take(EACH)
            .collect();
        assert_eq!(ports.len(), EACH, "a process could not take its ports");
        numbers.extend(ports);
    }
    // All hold their ports until their input closes, so equal numbers would be collisions.
    assert_eq!(numbers.len(), PROCESSES * EACH);
    for mut child in children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// This same program, running only [`hold_ports`].
fn holder() -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ports::hold_ports", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the other half of parallel_processes_get_different_ports"]
fn hold_ports() {
    let ports: Vec<Port> = (0..EACH).map(|_| Port::any().unwrap()).collect();
    for port in &ports {
        println!("\nport={}", port.number());
    }
    std::io::stdout().flush().unwrap();
    let rest = std::io::stdin().read_to_end(&mut Vec::new());
    assert!(rest.is_ok());
}
