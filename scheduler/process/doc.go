// Package process runs supervised process trees: a training replica, an
// installer, a model worker. It knows command lines, limits, log files and how
// things die, and no machine learning.
//
// Each process has a folder and a supervisor of its own, the shim: this binary
// run as `hearth task FOLDER` in its own session. The shim starts the process
// in its cgroup, is the reaper of everything that the process leaves behind,
// ends the whole tree and writes exit.json. It does not need the daemon: a
// daemon that is killed or replaced finds its processes again by their folders.
//
// What makes a process run at most once, whatever dies when:
//   - spec.json is durable before a shim starts, and holds the boot id. After a
//     restart of the host nothing runs that was asked for before it.
//   - The daemon takes the lock of the folder and hands the locked file on to
//     the shim, so a shim holds it from its first moment to its last.
//   - The shim writes state.json before it starts the process. A folder whose
//     lock is free and that has a state.json is over, with or without exit.json.
//
// Caveats: Linux only, kernel 5.3 or newer. Without cgroups a memory limit is
// kept by sampling, and a limit on the number of processes is not kept at all;
// [Supervisor.Isolation] says what holds. A process that another program starts
// on the tree's behalf (a container engine, at) is not part of the tree.
package process
