// Serves pages of orders by Prisma on pg, as a bare Node server: /page?skip=, /counted, /search?q=. Prints its port. Ends with its input.
// node prisma.mjs <connections>, with DATABASE_URL.
import { PrismaPg } from '@prisma/adapter-pg';
import http from 'node:http';
import prismaClient from './node_modules/.bench-prisma/index.js';

const [connections] = process.argv.slice(2).map(Number);
const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL, max: connections });
const prisma = new prismaClient.PrismaClient({ adapter });

const page = { orderBy: [{ created_at: 'desc' }, { order_id: 'desc' }], take: 50 };
const routes = {
  '/page': (query) => prisma.order.findMany({ ...page, skip: Number(query.get('skip') ?? 0) }),
  '/counted': async () => {
    const [items, total] = await Promise.all([prisma.order.findMany(page), prisma.order.count()]);
    return { items, total };
  },
  '/search': (query) =>
    prisma.order.findMany({ ...page, where: { search: { contains: query.get('q'), mode: 'insensitive' } } }),
};
const integers = (_, value) => (typeof value === 'bigint' ? Number(value) : value);

const server = http.createServer(async (request, response) => {
  try {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const body = JSON.stringify(await routes[pathname](searchParams), integers);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    response.writeHead(200, headers).end(body);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on('end', () => process.exit(0)).resume();
