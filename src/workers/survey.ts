/** The primary asks all workers what they have measured, for one of them that wants to know. */
import cluster, { type Worker } from 'node:cluster'

import type { Measured, Order, Report } from './messages.js'

/** How long an answer is waited for: a worker that is that busy is left out, and a scrape does not hang on it. */
const patienceMs = 1_000

interface Survey {
  readonly asked: Set<number>
  readonly measured: Measured[]
  end(): void
}

/** From now on answers every worker that wants to know. */
export function answerSurveys(): void {
  const surveys = new Map<number, Survey>()
  let questions = 0

  function begin(asker: Worker, wanted: number): void {
    const question = questions++
    const asked = workers().filter(worker => worker.isConnected())
    const timer = setTimeout(end, patienceMs)
    const measured: Measured[] = []
    surveys.set(question, { asked: new Set(asked.map(({ id }) => id)), measured, end })
    for (const worker of asked) send(worker, { question })

    function end(): void {
      clearTimeout(timer)
      surveys.delete(question)
      if (asker.isConnected()) send(asker, { wanted, measured })
    }
  }

  cluster.on('message', (worker, report: Report) => {
    if ('wants' in report) begin(worker, report.wants)
    if (!('question' in report)) return
    const survey = surveys.get(report.question)
    if (survey?.asked.delete(worker.id) !== true) return
    survey.measured.push(report.measured)
    if (survey.asked.size === 0) survey.end()
  })
}

function workers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(worker => worker !== undefined)
}

function send(worker: Worker, order: Order): void {
  // It may be gone by the time of sending; then there is nobody to tell.
  worker.send(order, () => undefined)
}
