/** Builds the web page into dist/web. */

import { defineConfig } from 'vite'

export default defineConfig({
  root: 'web',
  // A server may stand below a path of somebody else's.
  base: './',
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    // What OPFS with createWritable needs is newer than any syntax here.
    target: 'es2022',
    sourcemap: true,
    // For scripts/write-licences.ts, which makes licences.md of it.
    license: { fileName: 'licences.json' },
    rolldownOptions: { output: { postBanner: '/*! The packages in here and their licences: ../licences.md */' } },
    // Every browser that runs the page knows modulepreload; what would stand in for it runs a fetch more.
    modulePreload: { polyfill: false }
  },
  server: { proxy: { '/api': 'http://127.0.0.1:5000' } }
})
