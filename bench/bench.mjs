/** One run: what its measurements share, and how they take turns. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseWrk } from './figures.mjs'
import { findProgram } from './machine.mjs'
import { cpuSeconds, runProgram } from './processes.mjs'

/**
 * @typedef {object} Bench
 * @property {string} folder For files of this run.
 * @property {string} node The Node that runs what is measured.
 * @property {{ proxy: string, load: string } | undefined} cores
 * @property {number} upstreamPort
 * @property {number | undefined} redisPort
 * @property {number} rounds
 * @property {number} seconds Of one measurement.
 * @property {string | undefined} against Another checkout, built, to be measured beside this one.
 * @property {readonly string[]} nodeOptions For the gateway.
 * @property {Map<string, string>} missing Peers that are not there, and how to get them.
 * @property {Series[]} series All that was measured.
 *
 * @typedef {object} Subject
 * @property {string} name
 * @property {number} port
 * @property {readonly import('./processes.mjs').Program[]} programs Whose processor time counts.
 * @property {readonly string[]} paths Asked for in turn.
 * @property {Readonly<Record<string, string>>} [headers]
 *
 * @typedef {import('./figures.mjs').LoadResult & { cpuMicros?: number }} Run `cpuMicros` is processor time per request.
 * @typedef {{ scenario: string, subject: string, runs: Run[] }} Series
 */

/**
 * Every subject once per round, in turn and each round beginning with another, so that what else the machine does meets all
 * of them. The runs of each, round by round.
 * @param {Bench} bench @param {string} scenario @param {readonly Subject[]} subjects
 * @param {(subject: Subject, seconds: number) => Promise<import('./figures.mjs').LoadResult>} load
 * @returns {Promise<Record<string, Run[]>>}
 */
export async function interleave(bench, scenario, subjects, load) {
  for (const subject of subjects) await warmUp(bench, subject, load)
  /** @type {Record<string, Run[]>} */
  const runs = Object.fromEntries(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < bench.rounds; round++) {
    process.stderr.write(`\r\x1b[K  ${scenario}: round ${round + 1} of ${bench.rounds}`)
    for (const subject of rotated(subjects, round)) {
      const before = cpuOf(subject)
      const result = await load(subject, bench.seconds)
      const after = cpuOf(subject)
      if (result.failures > 0) throw new Error(`${scenario}: ${subject.name} failed ${result.failures} of ${result.requests} requests`)
      const cpu = before === undefined || after === undefined ? {} : { cpuMicros: (after - before) * 1e6 / result.requests }
      runs[subject.name]?.push({ ...result, ...cpu })
    }
  }
  process.stderr.write('\r\x1b[K')
  for (const [subject, done] of Object.entries(runs)) bench.series.push({ scenario, subject, runs: done })
  return runs
}

/**
 * As many requests as 50 connections get answered: wrk, or a loop of our own where it is missing.
 * @param {Bench} bench
 * @returns {(subject: Subject, seconds: number) => Promise<import('./figures.mjs').LoadResult>}
 */
export function saturate(bench) {
  const wrk = findProgram('wrk')
  return async ({ name, port, paths, headers = {} }, seconds) => {
    if (wrk === undefined) return runLoad(bench, 'closed-loop.mjs', { port, pathsFile: pathsFile(bench, name, paths), headers, seconds, connections: 50 })

    const fields = Object.entries(headers).flatMap(([field, value]) => ['-H', `${field}: ${value}`])
    const script = paths.length === 1 ? [] : ['-s', pathsScript(bench, name, paths)]
    const url = `http://127.0.0.1:${port}${paths[0]}`
    return parseWrk(await runProgram([wrk, '-t1', '-c50', `-d${seconds}s`, '--latency', ...fields, ...script, url], bench.cores?.load))
  }
}

/**
 * A program of bench/load with its settings; what it measured.
 * @param {Bench} bench @param {string} file @param {unknown} settings @param {string | undefined} cores
 */
export async function runLoad(bench, file, settings, cores = bench.cores?.load) {
  const program = join(import.meta.dirname, 'load', file)
  return JSON.parse(await runProgram([bench.node, program, JSON.stringify(settings)], cores))
}

/**
 * Until V8 has compiled what is hot, which takes as many requests on a fast machine as on a slow one.
 * @param {Bench} bench @param {Subject} subject
 * @param {(subject: Subject, seconds: number) => Promise<import('./figures.mjs').LoadResult>} load
 */
async function warmUp({ seconds }, subject, load) {
  const deadline = Date.now() + 10_000 * Math.min(1, seconds / 2)
  let done = 0
  while (done < 30_000 && Date.now() < deadline) done += (await load(subject, Math.min(2, seconds))).requests
}

/** @param {Subject} subject */
function cpuOf({ programs }) {
  const each = programs.map(({ pid }) => cpuSeconds(pid))
  return each.includes(undefined) ? undefined : each.reduce((/** @type {number} */ sum, seconds) => sum + (seconds ?? 0), 0)
}

/**
 * Ten thousand paths are more than an argument may hold.
 * @param {Bench} bench @param {string} name @param {readonly string[]} paths
 */
function pathsFile({ folder }, name, paths) {
  const file = join(folder, `${name.replaceAll(/\W/g, '-')}-paths.json`)
  writeFileSync(file, JSON.stringify(paths))
  return file
}

/** @param {Bench} bench @param {string} name @param {readonly string[]} paths */
function pathsScript({ folder }, name, paths) {
  const file = join(folder, `${name.replaceAll(/\W/g, '-')}-paths.lua`)
  writeFileSync(file, `local paths = {${paths.map(path => `"${path}"`).join(',')}}\nlocal at = 0
function request() at = at % #paths + 1; return wrk.format("GET", paths[at]) end\n`)
  return file
}

/** @template T @param {readonly T[]} list @param {number} by */
function rotated(list, by) {
  const at = by % Math.max(1, list.length)
  return [...list.slice(at), ...list.slice(0, at)]
}
