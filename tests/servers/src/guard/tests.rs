//! The guard, on a server that only sleeps and has a child, in a session of its own as PostgreSQL's have.

use super::*;

/// Sleeps, and has a child that outlives it unless somebody cares.
const SLEEPER: &str = "setsid sleep 600 & echo $! >child; echo ready; wait";

struct Sleeper {
    guarded: Guarded,
    child: u32,
}

fn sleeper() -> Result<Sleeper> {
    let folder = Folder::new("sleeper")?;
    let path = folder.path().to_owned();
    let script = format!("cd {}; {SLEEPER}", path.display());
    let log = path.join("log");
    let guarded = Guarded::start(Plan {
        command: vec!["sh".into(), "-c".into(), script.into()],
        probe: Box::new(move || fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))),
        stop: "TERM",
        end: "KILL",
        folder,
    })?;
    let child = child_of(&guarded)?;
    Ok(Sleeper { guarded, child })
}

fn child_of(guarded: &Guarded) -> Result<u32> {
    let text = fs::read_to_string(guarded.folder().join("child"))?;
    Ok(text.trim().parse()?)
}

/// Answers the letter of a process's state; none if it is gone or only waits to be buried.
fn state(pid: u32) -> Option<char> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = line.rsplit_once(") ")?;
    rest.chars().next().filter(|state| !"ZX".contains(*state))
}

fn pid(guarded: &Guarded) -> Result<u32> {
    match guarded.order(Order::Look)? {
        Process::Runs(pid) => Ok(pid),
        Process::Ended => bail!("it has ended"),
    }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < READY_WITHIN, "not in time: {what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_server_its_children_and_its_folder_go_when_it_is_dropped() -> Result<()> {
    let Sleeper { guarded, child } = sleeper()?;
    let folder = guarded.folder().to_owned();
    let pid = pid(&guarded)?;
    assert!(state(pid).is_some() && state(child).is_some());
    drop(guarded);
    assert_eq!((state(pid), state(child)), (None, None));
    assert!(!folder.exists());
    Ok(())
}

#[test]
fn a_server_goes_when_its_owner_was_killed() -> Result<()> {
    let Sleeper { mut guarded, child } = sleeper()?;
    let pid = pid(&guarded)?;
    guarded.let_go();
    guarded.guard.wait()?;
    assert_eq!((state(pid), state(child)), (None, None));
    assert!(!guarded.folder().exists());
    Ok(())
}

#[test]
fn a_frozen_server_goes_when_its_owner_was_killed() -> Result<()> {
    let Sleeper { mut guarded, child } = sleeper()?;
    let pid = pid(&guarded)?;
    guarded.order(Order::Freeze)?;
    guarded.let_go();
    guarded.guard.wait()?;
    assert_eq!((state(pid), state(child)), (None, None));
    assert!(!guarded.folder().exists());
    Ok(())
}

/// Tells the process that is to be killed that it is the one.
const OWNER: &str = "SEATA_TEST_SERVERS_OWNER";

/// Not a test of its own, but the process that the next one kills: it freezes a server and waits for its end.
#[test]
fn an_owner_waits_to_be_killed() -> Result<()> {
    if std::env::var_os(OWNER).is_some() {
        let Sleeper { guarded, child } = sleeper()?;
        let pid = pid(&guarded)?;
        guarded.order(Order::Freeze)?;
        fs::write(guarded.folder().join("told"), format!("{pid} {child}"))?;
        let told = guarded.folder().join("told").display().to_string();
        std::io::stderr().write_all(format!("\ntold {told}\n").as_bytes())?;
        sleep(READY_WITHIN);
    }
    Ok(())
}

#[test]
fn a_frozen_server_goes_when_the_process_of_its_owner_is_killed() -> Result<()> {
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "guard::tests::an_owner_waits_to_be_killed"])
        .arg("--nocapture")
        .env(OWNER, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(owner.stderr.take().context("no output")?).lines();
    let told = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("told ").map(PathBuf::from))
        .context("it told nothing")?;
    let pids = fs::read_to_string(&told)?;
    let pids: Vec<u32> = pids.split(' ').filter_map(|pid| pid.parse().ok()).collect();
    assert_eq!(pids.len(), 2);
    owner.kill()?;
    owner.wait()?;
    eventually("its folder is gone", || {
        told.parent().is_some_and(|folder| !folder.exists())
    });
    assert!(pids.iter().all(|pid| state(*pid).is_none()));
    Ok(())
}

#[test]
fn a_server_that_was_started_again_goes_when_its_owner_was_killed() -> Result<()> {
    let Sleeper { mut guarded, .. } = sleeper()?;
    guarded.order(Order::Kill)?;
    guarded.start_again()?;
    let pid = pid(&guarded)?;
    guarded.let_go();
    guarded.guard.wait()?;
    assert_eq!(state(pid), None);
    assert!(!guarded.folder().exists());
    Ok(())
}

#[test]
fn an_owner_that_was_killed_in_the_middle_of_an_order_leaves_nothing() -> Result<()> {
    let Sleeper { mut guarded, child } = sleeper()?;
    let pid = pid(&guarded)?;
    let mut line = guarded.line.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody reads the answers to these.
    if let Some(Line {
        mut orders,
        answers,
    }) = line.take()
    {
        drop(answers);
        orders.write_all(b"freeze\nthaw\nlook\n")?;
    }
    drop(line);
    guarded.guard.wait()?;
    assert_eq!((state(pid), state(child)), (None, None));
    assert!(!guarded.folder().exists());
    Ok(())
}

#[test]
fn all_of_a_server_freezes_and_thaws() -> Result<()> {
    let Sleeper { guarded, child } = sleeper()?;
    let pid = pid(&guarded)?;
    assert_eq!(guarded.order(Order::Freeze)?, Process::Runs(pid));
    eventually("both stand still", || {
        state(pid) == Some('T') && state(child) == Some('T')
    });
    assert_eq!(guarded.order(Order::Thaw)?, Process::Runs(pid));
    eventually("both go on", || {
        state(pid) != Some('T') && state(child) != Some('T')
    });
    Ok(())
}

#[test]
fn a_killed_server_is_gone_with_its_children_and_keeps_its_folder() -> Result<()> {
    let Sleeper { guarded, child } = sleeper()?;
    let pid = pid(&guarded)?;
    assert_eq!(guarded.order(Order::Kill)?, Process::Ended);
    assert_eq!((state(pid), state(child)), (None, None));
    assert!(guarded.folder().exists());
    assert_eq!(guarded.order(Order::Kill)?, Process::Ended);
    assert_eq!(guarded.order(Order::Thaw)?, Process::Ended);
    Ok(())
}

#[test]
fn what_runs_is_not_started_again() -> Result<()> {
    let Sleeper { guarded, child } = sleeper()?;
    assert!(guarded.start_again().is_err());
    guarded.order(Order::Stop)?;
    guarded.start_again()?;
    eventually("another child", || {
        child_of(&guarded).is_ok_and(|another| another != child)
    });
    Ok(())
}

#[test]
fn a_server_that_ends_at_once_shows_its_last_words() -> Result<()> {
    let folder = Folder::new("brief")?;
    let path = folder.path().to_owned();
    let begun = Guarded::start(Plan {
        command: vec!["sh".into(), "-c".into(), "echo no room >&2".into()],
        probe: Box::new(|| false),
        stop: "TERM",
        end: "KILL",
        folder,
    });
    let why = begun.err().map(|error| error.to_string());
    assert_eq!(
        why.as_deref(),
        Some("it does not answer; its last words: no room")
    );
    assert!(!path.exists());
    Ok(())
}

#[test]
fn only_the_end_of_a_long_log_is_shown() {
    assert_eq!(tail("a\nb\nc\nd\ne\nf\n"), "b | c | d | e | f");
    assert_eq!(tail(""), "");
}
