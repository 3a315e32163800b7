/** The arithmetic of the benchmark: medians, ratios, verdicts, what wrk prints, and the report made of them. No clock is involved. */
import t from 'tap'

import { median, parseWrk, percentile, ratioOf, verdict } from '../../bench/figures.mjs'
import { goals } from '../../bench/goals.mjs'
import { goalsTable, reportText, seriesTable } from '../../bench/report.mjs'

t.test('the median is the middle value, and between the two middle ones of an even number', async t => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.equal(median([7]), 7)
  t.ok(Number.isNaN(median([])))
})

t.test('a percentile is a value that was measured', async t => {
  const sorted = Float64Array.from({ length: 100 }, (_, at) => at + 1)
  t.equal(percentile(sorted, 50), 50)
  t.equal(percentile(sorted, 99), 99)
  t.equal(percentile(sorted, 0), 1)
  t.equal(percentile([5], 99), 5)
})

t.test('ratios are taken round by round, so that one bad minute does not count on one side only', async t => {
  // Both were slowed down to a tenth in the second round; a ratio of medians or means would not notice that they are equal.
  t.same(ratioOf([100, 10, 200], [100, 10, 200]), { median: 1, least: 1, most: 1 })
  t.same(ratioOf([50, 6, 40], [100, 10, 100]), { median: 0.5, least: 0.4, most: 0.6 })
  t.same(ratioOf([1, 2, 3], [2, 0, 2]), { median: 1, least: 0.5, most: 1.5 }, 'a round without a figure does not count')
})

t.test('a goal is reached from the right side', async t => {
  const ratio = (median: number, least = median, most = median) => ({ median, least, most })
  t.equal(verdict(ratio(0.5), { atLeast: 0.45 }), 'reached')
  t.equal(verdict(ratio(0.45), { atLeast: 0.45 }), 'reached')
  t.equal(verdict(ratio(0.4), { atLeast: 0.45 }), 'missed')
  t.equal(verdict(ratio(1.9), { atMost: 2 }), 'reached')
  t.equal(verdict(ratio(2.5), { atMost: 2 }), 'missed')
  t.equal(verdict(ratio(NaN), { atMost: 2 }), 'not measured')
})

t.test('rounds that disagree about a goal near the median say nothing', async t => {
  t.equal(verdict({ median: 0.452, least: 0.43, most: 0.47 }, { atLeast: 0.45 }), 'unclear')
  t.equal(verdict({ median: 0.55, least: 0.43, most: 0.57 }, { atLeast: 0.45 }), 'reached', 'one bad round is not near')
  t.equal(verdict({ median: 0.452, least: 0.451, most: 0.47 }, { atLeast: 0.45 }), 'reached', 'they agree')
})

const wrkOutput = `Running 3s test @ http://127.0.0.1:4455/plain/small
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.06ms    1.20ms  32.42ms   93.26%
    Req/Sec    16.52k     1.33k   18.07k    86.67%
  Latency Distribution
     50%    2.90ms
     75%    3.12ms
     90%  812.00us
     99%    1.02s
  49288 requests in 3.00s, 18.47MB read
Requests/sec:  16424.07
Transfer/sec:      6.15MB
`

t.test('what wrk prints is read, units too', async t => {
  t.same(parseWrk(wrkOutput), { requestsPerSecond: 16424.07, requests: 49288, failures: 0, p50: 2.9, p99: 1020 })
})

t.test('refused requests and broken connections are failures', async t => {
  const failed = `${wrkOutput}  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n`
  t.equal(parseWrk(failed).failures, 15)
})

t.test('text that is not from wrk is no measurement', async t => {
  t.throws(() => parseWrk('unable to connect to 127.0.0.1:4455 Connection refused'), /unexpected/)
})

const results = {
  at: '2026-01-01T00:00:00.000Z', machine: {}, settings: { rounds: 3, seconds: 1 },
  missing: { haproxy: 'apt-get install haproxy' },
  outcomes: { 'plain-small': { median: 0.5, least: 0.4, most: 0.6, byCpu: 0.55 }, 'session-ory': 'Oathkeeper and Kratos are missing' },
  series: [{
    scenario: 'plain, small', subject: 'oathgate',
    runs: [10, 30, 20].map(rate => ({ requestsPerSecond: rate * 1000, requests: 1, failures: 0, cpuMicros: rate, p50: 1, p99: 2 })),
  }],
}

t.test('the table of goals has a row for each outcome, one that could not be measured with its reason', async t => {
  const lines = goalsTable(results, goals).split('\n')
  t.equal(lines.length, 4)
  t.match(lines[2], /^\| plain proxied GET, small.* ≥ 0\.45 .*\*\*0\.50\*\* \(0\.40 - 0\.60\) .* 0\.55 .* reached /)
  t.match(lines[3], /Oathkeeper and Kratos are missing .* not measured/)
})

t.test('medians of everything measured stand behind it, and peers that are missing are named', async t => {
  t.match(seriesTable(results), /\| plain, small \| oathgate \| 20,000 \| 20\.0 +\| 1\.00 +\| 2\.00/)
  t.match(reportText(results, goals), /\* haproxy is missing: apt-get install haproxy/)
})

t.test('an earlier run stands beside this one, goal by goal', async t => {
  const earlier = { ...results, outcomes: { 'plain-small': { median: 0.4, least: 0.4, most: 0.4 } } }
  const [, , small = '', ory = ''] = goalsTable(results, goals, earlier).split('\n')
  t.match(small, /\| 0\.40 +\| 1\.25 +\|$/)
  t.match(ory, /\| - +\| - +\|$/)
})
