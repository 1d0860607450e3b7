// Package scheduler runs jobs: it queues them, leases slots to them, drives
// each through its states and picks all of them up again after a restart.
//
// One goroutine, [Scheduler.Run], owns the queue and the slots. It decides with
// a pure function, plan, and acts on what comes out. Each job that holds slots
// is driven by a goroutine of its own, which sees to the steps between
// PREPARING and the final state; every step may be repeated, so a job whose
// daemon died is driven by the same function from wherever it was.
//
// What is promised is in the database before it is told or acted on: the queue,
// the lease before anything starts, the wish to cancel before the stop, the
// final state before the slots are free. docs/states.md draws it.
//
// The package knows no processes, containers or machines. It declares
// [Executor] and is given one.
package scheduler
