/** `file://` URLs in configuration name files beside the file that they are written in. */
import { resolve } from 'node:path'

import { isMap } from './layer.js'

/**
 * The value with every relative `file://path` made absolute, wherever it stands, so that a file laid over another one
 * does not change what the other one means. A path is plain text, without escapes; its trailing slash stays.
 */
export function absoluteFileUrls<T>(value: T, folder: string): T
export function absoluteFileUrls(value: unknown, folder: string): unknown {
  if (typeof value === 'string') return value.startsWith('file://') ? absolute(value.slice('file://'.length), folder) : value
  if (Array.isArray(value)) return value.map(item => absoluteFileUrls(item as unknown, folder))
  if (!isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, absoluteFileUrls(item, folder)]))
}

function absolute(path: string, folder: string): string {
  if (path === '') return 'file://'
  return `file://${resolve(folder, path)}${path.endsWith('/') && path !== '/' ? '/' : ''}`
}
