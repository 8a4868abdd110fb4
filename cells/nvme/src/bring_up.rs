//! The start of a controller, which is also its reset: a list of steps, each of
//! which takes a moment and is entered again until it is done. Nothing here
//! waits, so a reset goes on inside the port without delaying a swap, and a swap
//! in its middle hands over how far it has come.
//!
//! ```text
//! Halt - Disable - AwaitDisabled - Collect - Enable - AwaitEnabled -
//! IdentifyController - SetQueueCount - ListNamespaces - IdentifyNamespace -
//! Known - (CreateCompletion - CreateSubmission) for each queue - Resume - Ready
//! ```
//! A step that fails begins again at Halt; the third time in a row is Failed.

use crate::admin::{self, About, Answer, Entry};
use crate::complete::{FAILED, PRESENT};
use crate::{health, issue};
use memory::PAGE_SIZE;
use nvme_port::registers::{
    ACQ, AQA, ASQ, CAP, CC, CC_ENABLE, CC_SIZES, CSTS, CSTS_FATAL, CSTS_READY, DOORBELLS, GONE,
};
use nvme_port::{
    ADMIN_DEPTH, Command, Control, DEVICE_LOST, Device, Facts, IO_ERROR, Mode, NvmeState, Queue,
    Step,
};

/// How long an admin command may take.
const ADMIN_NS: u64 = 5_000_000_000;
/// The unit of the controller's own time limit.
const LIMIT_UNIT_NS: u64 = 500_000_000;
/// How often in a row it may fail.
const FAILURES: u32 = 3;
/// The longest transfer, whatever the device allows.
const MAX_TRANSFER: u64 = 1 << 20;

/// What the steps work on. Before the facts are known there is no state.
pub(crate) struct Scene<'a> {
    pub(crate) device: &'a Device,
    pub(crate) queues: &'a [Queue],
    pub(crate) state: Option<&'a NvmeState>,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// To be entered again later.
    Working,
    /// The facts are known, the queues are missing.
    NeedsQueues,
    /// All is well.
    Ready,
    /// The device is lost.
    Failed,
}

/// Why a step failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// No register answers.
    Gone,
    /// The controller says that it has failed.
    Fatal,
    /// It took too long.
    Late,
    /// An admin command was refused with this status.
    Refused(u16),
    /// It needs pages larger than 4 KiB or has no queue to give.
    Unsupported,
    /// There is no namespace of plain blocks.
    NoNamespace,
    /// It is not the device it was before the reset.
    Changed,
}

impl Trouble {
    /// Whether another try makes sense.
    fn passes(self) -> bool {
        matches!(self, Trouble::Fatal | Trouble::Late | Trouble::Refused(_))
    }
}

/// One step has been taken, or waits for the device.
enum Done {
    Next(Step),
    NotYet,
}

/// Goes as far as it can without waiting.
pub(crate) fn advance(scene: &Scene<'_>, control: &mut Control, now: u64) -> Progress {
    loop {
        match control.step {
            Step::Ready => return Progress::Ready,
            Step::Failed => return Progress::Failed,
            Step::Known if scene.queues.is_empty() => return Progress::NeedsQueues,
            _ => {}
        }
        match step(scene, control) {
            Ok(Done::Next(next)) => {
                control.step = next;
                control.deadline = now + limit(scene.device, next);
            }
            Ok(Done::NotYet) if now < control.deadline => return Progress::Working,
            Ok(Done::NotYet) => stumble(scene, control, Trouble::Late),
            Err(trouble) => stumble(scene, control, trouble),
        }
    }
}

/// How long `step` may take.
fn limit(device: &Device, step: Step) -> u64 {
    match step {
        Step::AwaitDisabled | Step::AwaitEnabled => {
            let units = device.registers.read64(CAP) >> 24 & 0xff;
            units.max(1) * LIMIT_UNIT_NS
        }
        _ => ADMIN_NS,
    }
}

#[cold]
fn stumble(scene: &Scene<'_>, control: &mut Control, trouble: Trouble) {
    control.failures += 1;
    log::error!("nvme: {:?} failed: {trouble:?}", control.step);
    if trouble.passes() && control.failures < FAILURES {
        control.step = Step::Halt;
        return;
    }
    control.step = Step::Failed;
    scene.device.stop();
    for queue in scene.queues {
        queue.rings.with(|rings| {
            rings.mode = Mode::Lost;
            rings.fail_all(DEVICE_LOST);
        });
    }
}

fn step(scene: &Scene<'_>, control: &mut Control) -> Result<Done, Trouble> {
    let registers = &scene.device.registers;
    let status = registers.read32(CSTS);
    if status == GONE {
        return Err(Trouble::Gone);
    }
    Ok(Done::Next(match control.step {
        Step::Halt => {
            for queue in scene.queues {
                queue.rings.with(|rings| rings.mode = Mode::Halted);
            }
            Step::Disable
        }
        Step::Disable => {
            registers.write32(CC, registers.read32(CC) & !CC_ENABLE);
            Step::AwaitDisabled
        }
        Step::AwaitDisabled if status & CSTS_READY != 0 => return Ok(Done::NotYet),
        Step::AwaitDisabled => Step::Collect,
        Step::Collect => {
            collect(scene, control);
            Step::Enable
        }
        Step::Enable => {
            enable(scene.device, control)?;
            Step::AwaitEnabled
        }
        Step::AwaitEnabled if status & CSTS_FATAL != 0 => return Err(Trouble::Fatal),
        Step::AwaitEnabled if status & CSTS_READY == 0 => return Ok(Done::NotYet),
        Step::AwaitEnabled => Step::IdentifyController,
        Step::Resume => {
            resume(scene, control)?;
            Step::Ready
        }
        Step::Known => Step::CreateCompletion(0),
        _ if status & CSTS_FATAL != 0 => return Err(Trouble::Fatal),
        asking => return ask(scene, control, asking),
    }))
}

/// The controller has stopped: what it had waits again, the rings are as new.
fn collect(scene: &Scene<'_>, control: &mut Control) {
    for queue in scene.queues {
        let late = |c: &Command| {
            scene
                .state
                .is_some_and(|s| health::is_late(s, queue, c.round))
        };
        let weigh = |c: &Command| if late(c) { FAILED } else { PRESENT };
        queue.rings.with(|rings| rings.collect(weigh, IO_ERROR));
        queue.rings.mend();
    }
    control.admin.ring.reset();
    control.admin.pending = None;
}

fn enable(device: &Device, control: &mut Control) -> Result<(), Trouble> {
    let registers = &device.registers;
    let capabilities = registers.read64(CAP);
    if capabilities >> 48 & 0xf != 0 {
        return Err(Trouble::Unsupported);
    }
    let found = &mut control.found;
    found.doorbell_stride = 4 << (capabilities >> 32 & 0xf);
    let entries = (capabilities & 0xffff) as u32 + 1;
    found.depth = entries.min(u32::from(control.wanted_depth.max(2))) as u16;
    let size = u32::from(ADMIN_DEPTH - 1);
    registers.write32(AQA, size << 16 | size);
    registers.write64(ASQ, control.admin.ring.submissions.physical());
    registers.write64(ACQ, control.admin.ring.completions.physical());
    registers.write32(CC, CC_SIZES | CC_ENABLE);
    Ok(())
}

/// The steps that are admin commands.
fn ask(scene: &Scene<'_>, control: &mut Control, asking: Step) -> Result<Done, Trouble> {
    let registers = &scene.device.registers;
    let stride = control.found.doorbell_stride;
    let entry = question(scene, control, asking);
    let answer = admin::exchange(registers, stride, &mut control.admin, entry);
    let page = &control.admin.page;
    let result = match (asking, answer) {
        (_, Answer::Pending) => return Ok(Done::NotYet),
        // A controller of version 1.0 cannot list; its first namespace is 1.
        (Step::ListNamespaces, Answer::Refused(_)) => {
            control.found.namespace = 1;
            return Ok(Done::Next(Step::IdentifyNamespace));
        }
        (_, Answer::Refused(status)) => return Err(Trouble::Refused(status)),
        (_, Answer::Done(result)) => result,
    };
    Ok(Done::Next(match asking {
        Step::IdentifyController => {
            learn_controller(&mut control.found, &admin::read_controller(page));
            Step::SetQueueCount
        }
        Step::SetQueueCount => {
            let granted = (result & 0xffff).min(result >> 16) + 1;
            control.found.queues = granted.min(queues_wanted(scene.device, control)) as u16;
            Step::ListNamespaces
        }
        Step::ListNamespaces => {
            control.found.namespace = admin::read_first_active(page).ok_or(Trouble::NoNamespace)?;
            Step::IdentifyNamespace
        }
        Step::IdentifyNamespace => {
            learn_namespace(&mut control.found, admin::read_namespace(page))?;
            Step::Known
        }
        Step::CreateCompletion(n) => Step::CreateSubmission(n),
        Step::CreateSubmission(n) if usize::from(n) + 1 < scene.queues.len() => {
            Step::CreateCompletion(n + 1)
        }
        _ => Step::Resume,
    }))
}

fn question(scene: &Scene<'_>, control: &Control, asking: Step) -> Entry {
    let page = control.admin.page.physical();
    let rings = |n: u16| scene.queues.get(usize::from(n));
    match asking {
        Step::SetQueueCount => admin::set_queue_count(queues_wanted(scene.device, control) as u16),
        Step::ListNamespaces => admin::identify(About::Active, 0, page),
        Step::IdentifyNamespace => admin::identify(About::Namespace, control.found.namespace, page),
        Step::CreateCompletion(n) => rings(n).map_or([0; 8], |queue| {
            let (depth, memory) = queue
                .rings
                .with(|r| (r.ring.depth, r.ring.completions.physical()));
            admin::create_completion(queue.id, depth, queue.vector, memory)
        }),
        Step::CreateSubmission(n) => rings(n).map_or([0; 8], |queue| {
            let (depth, memory) = queue
                .rings
                .with(|r| (r.ring.depth, r.ring.submissions.physical()));
            admin::create_submission(queue.id, depth, memory)
        }),
        _ => admin::identify(About::Controller, 0, page),
    }
}

/// As many queues as are asked for, have an interrupt and have doorbells inside
/// the mapped registers.
fn queues_wanted(device: &Device, control: &Control) -> u32 {
    let pair = 2 * control.found.doorbell_stride;
    let doorbells = device.registers.len().saturating_sub(DOORBELLS) / pair;
    let interrupts = device.messages.len().saturating_sub(1).max(1);
    let most = doorbells.saturating_sub(1).min(interrupts);
    most.min(usize::from(control.wanted_queues)).max(1) as u32
}

fn learn_controller(found: &mut Facts, page: &admin::ControllerPage) {
    let limit = match page.transfer_shift {
        0 => MAX_TRANSFER,
        shift => (PAGE_SIZE as u64)
            .checked_shl(u32::from(shift))
            .map_or(MAX_TRANSFER, |bytes| bytes.min(MAX_TRANSFER)),
    };
    found.name.clone_from(&page.name);
    found.geometry.max_transfer = limit as u32;
    found.geometry.volatile_cache = page.volatile_cache;
    // A transfer of n pages that starts inside a page touches one more; the
    // first is named in the entry.
    found.list_bytes = (limit as usize / PAGE_SIZE * 8).next_power_of_two().max(64);
}

fn learn_namespace(found: &mut Facts, page: admin::NamespacePage) -> Result<(), Trouble> {
    let plain = page.blocks != 0 && page.metadata == 0 && (9..=12).contains(&page.block_shift);
    let capacity = page.blocks.checked_mul(1 << page.block_shift.min(12));
    let (true, Some(capacity)) = (plain, capacity) else {
        return Err(Trouble::NoNamespace);
    };
    found.block_shift = page.block_shift;
    found.geometry.block_size = 1 << page.block_shift;
    found.geometry.capacity = capacity;
    Ok(())
}

/// The queues work again, if the device is still the one it was.
fn resume(scene: &Scene<'_>, control: &mut Control) -> Result<(), Trouble> {
    let Some(state) = scene.state else {
        return Err(Trouble::Unsupported);
    };
    let (found, before) = (&control.found, &state.facts);
    if (found.geometry, found.namespace) != (before.geometry, before.namespace)
        || usize::from(found.queues) < scene.queues.len()
    {
        return Err(Trouble::Changed);
    }
    control.failures = 0;
    for queue in scene.queues {
        queue.rings.with(|rings| {
            rings.mode = Mode::Live;
            issue::pump(state, queue, rings);
        });
    }
    Ok(())
}
