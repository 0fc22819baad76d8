//! Every number of the reference that concerns the methods here, on the CPU and through wgpu.
//!
//! `COMPACTER_FIXTURES=DIR` reads another folder of that layout. Without a GPU or software adapter
//! the test fails, unless `COMPACTER_GPU=skip`. With `COMPACTER_STORAGES=gpu` weights kept as f16 and
//! int8 are tried there too, and not on the CPU alone.
#![forbid(unsafe_code)]

mod adapterhub;
mod fixtures;
mod functions;
mod layout;
mod methods;
mod storages;

use compacter_core::{Device, DeviceKind, cpu_device, gpu_device};
use fixtures::{Compared, Fixtures};

fn main() {
    let fixtures = Fixtures::open();
    let mut failed = run("cpu", cpu_device(), &fixtures);
    if std::env::var("COMPACTER_GPU").as_deref() == Ok("skip") {
        println!("wgpu skipped: COMPACTER_GPU=skip");
    } else {
        failed |= run("wgpu", gpu_device(DeviceKind::DefaultDevice), &fixtures);
        failed |= devices(&fixtures);
    }
    if failed {
        std::process::exit(1);
    }
}

/// Training with dropout gives the CPU's losses on the GPU.
fn devices(fixtures: &Fixtures) -> bool {
    let mut compared = Compared::default();
    let gpu = gpu_device(DeviceKind::DefaultDevice);
    methods::compare_devices(fixtures, [&cpu_device(), &gpu], &mut compared);
    for failure in &compared.failures {
        println!("FAILED {failure}");
    }
    println!(
        "compared {} results of training with dropout on cpu and wgpu",
        compared.tensors
    );
    !compared.failures.is_empty()
}

fn run(name: &str, device: Device, fixtures: &Fixtures) -> bool {
    let mut compared = Compared::default();
    functions::compare(fixtures, &device, &mut compared);
    methods::compare(fixtures, &device, &mut compared);
    adapterhub::compare(fixtures, &device, &mut compared);
    for skipped in &compared.skipped {
        println!("skipped {skipped}");
    }
    for failure in &compared.failures {
        println!("FAILED {failure}");
    }
    let (tensors, directories) = (compared.tensors, compared.directories);
    if name == "cpu" || std::env::var("COMPACTER_STORAGES").as_deref() == Ok("gpu") {
        let mut packed = Compared::default();
        storages::compare(fixtures, &device, &mut packed);
        packed
            .failures
            .iter()
            .for_each(|failure| println!("FAILED {failure}"));
        println!(
            "compared {} results with weights as f16 and int8 on {name}",
            packed.tensors
        );
        compared.failures.append(&mut packed.failures);
    }
    println!("compared {tensors} tensors in {directories} directories on {name}");
    directories == 0 || !compared.failures.is_empty()
}
