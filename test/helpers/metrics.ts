/** The metrics of a gateway, read as Prometheus would. */
import type { TestGateway } from './gateway.js'
import { newVisitor } from './visitor.js'

/** Values by series, as written: `name{label="value"}`. */
export type Samples = ReadonlyMap<string, number>

/** Asks for the metrics. */
export async function scrape(gateway: Pick<TestGateway, 'adminUrl'>): Promise<Samples> {
  const { text } = await newVisitor().fetch(`${gateway.adminUrl}/metrics`)
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => {
    const at = line.lastIndexOf(' ')
    return [line.slice(0, at), Number(line.slice(at + 1))]
  }))
}

/** What one metric counts, by its labels. */
export async function samplesOf(gateway: Pick<TestGateway, 'adminUrl'>, name: string): Promise<Record<string, number>> {
  const ofName = [...await scrape(gateway)].filter(([series]) => series === name || series.startsWith(`${name}{`))
  return Object.fromEntries(ofName.map(([series, value]) => [series.slice(name.length), value]))
}
