/** Work that is put off to the end of this turn of the event loop, when everything that has come in by now has been looked at. */

let tasks: (() => void)[] = []

/**
 * Calls `task` when the turn ends, in the order of the calls. Writing what many exchanges have to say in one go wakes those who are
 * written to once, not once for each: waking somebody costs more than all the rest of a write (bench/README.md). A task must not throw.
 */
export function atTurnsEnd(task: () => void): void {
  if (tasks.push(task) === 1) setImmediate(endTurn)
}

function endTurn(): void {
  const due = tasks
  tasks = []
  for (const task of due) task()
}
