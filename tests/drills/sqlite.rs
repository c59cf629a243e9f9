//! The SQLite file under bad conditions: the service is killed, the disk is full, the file may not be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::load::{Acknowledged, Kind, Load, expect_all_kept, kept};
use super::{ms, repetitions, service_on, service_with};
use crate::support::{HEALS, binary, birthday, block_on, command_by, eventually, unprivileged};

#[test]
#[ignore = "a drill: just drills"]
fn no_acknowledged_save_is_lost_when_the_service_is_killed_under_load() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite://{}", directory.path().join("birthdays.db").display());
    let mut acknowledged = Acknowledged::new();
    let (rounds, mut saves, mut longest) = (repetitions(3), 0, Duration::ZERO);
    for _ in 0..rounds {
        let started = Instant::now();
        let mut service = service_on(&directory, &url, "");
        longest = longest.max(started.elapsed());
        let load = Load::start(service.address, 8, Duration::ZERO);
        load.wait_for(Kind::Save, Instant::now(), HEALS);
        std::thread::sleep(Duration::from_millis(200));
        service.signal(Signal::KILL);
        service.ended(HEALS);
        let record = load.stop();
        saves += record.events.iter().filter(|event| event.kind == Kind::Save && event.succeeded()).count();
        acknowledged.extend(record.acknowledged);
        expect_all_kept(&acknowledged, &kept(&url));
    }
    measured!("kill with SQLite", "{rounds} kills: {saves} saves acknowledged, 0 lost; up again within {}", ms(longest));
}

/// Only the service sees a disk of 512 KiB: a mount in its own namespace, which disappears with the process.
#[test]
#[ignore = "a drill: just drills"]
fn a_full_disk_refuses_saves_only_and_space_heals_it() {
    let directory = TempDir::new().unwrap();
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mut inside = command_by(Path::new("unshare"), directory.path());
    inside.args(["--map-root-user", "--mount", "--", "sh", "-c", "mount -t tmpfs -o size=512k tmpfs disk && exec \"$0\""]);
    inside.arg(binary());
    let service = service_with(&mut inside, "sqlite://disk/birthdays.db", "");
    let there = Path::new("/proc").join(service.id().to_string()).join("root").join(disk.strip_prefix("/").unwrap());
    block_on(service.save("John", "1990-05-17"));
    // A single large write leaves no space, whatever the size of the last block.
    let filler = there.join("filler");
    assert!(fs::write(&filler, vec![0; 1 << 20]).is_err(), "the disk is not small");

    let save = |born: &str| service.put("/hello/John", birthday(born));
    // The write-ahead log may have room for some more.
    let refused = (1..2000).find_map(|number| {
        let asked = Instant::now();
        let answer = block_on(save(&format!("19{:02}-01-01", number % 100)));
        (answer.status != 204).then(|| (answer, asked.elapsed()))
    });
    let refused = refused.expect("the disk fills");
    refused.0.expect_problem(503, "unavailable");
    assert!(refused.1 < Duration::from_secs(6), "refused only after {:?}", refused.1);
    for _ in 0..5 {
        block_on(save("1980-01-01")).expect_problem(503, "unavailable");
        assert_eq!(block_on(service.get("/hello/John")).status, 200, "lookups go on");
    }
    fs::remove_file(filler).unwrap();
    let freed = Instant::now();
    block_on(eventually(HEALS, "it heals", async || save("1970-01-01").await.status == 204));
    let healed = freed.elapsed();
    assert_eq!(block_on(service.get("/hello/John")).status, 200);
    measured!("full disk, SQLite", "saves 503 after {}, lookups go on; saves again {} after space", ms(refused.1), ms(healed));
}

/// For root nothing is read-only, so the service runs as another user.
#[test]
#[ignore = "a drill: just drills"]
fn a_read_only_file_refuses_saves_only_and_permission_heals_it() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("birthdays.db");
    let url = format!("sqlite://{}", file.display());
    let service = service_on(&directory, &url, "");
    block_on(service.save("John", "1990-05-17"));
    drop(service);
    let mut other = unprivileged(directory.path());
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let service = service_with(&mut other, &url, "migrate=false,");
    assert_eq!(block_on(service.get("/hello/John")).status, 200, "lookups go on");
    block_on(service.put("/hello/John", birthday("1990-05-18"))).expect_problem(503, "unavailable");
    block_on(service.delete("/hello/John")).expect_problem(503, "unavailable");
    assert_eq!(block_on(service.get("/hello/John")).status, 200, "lookups go on");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let allowed = Instant::now();
    let saves = async || service.put("/hello/John", birthday("1990-05-18")).await.status == 204;
    block_on(eventually(HEALS, "it heals without a restart", saves));
    measured!("read-only file, SQLite", "saves 503, lookups go on; saves again {} after permission", ms(allowed.elapsed()));
}
