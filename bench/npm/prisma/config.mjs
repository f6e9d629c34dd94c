// Only the client is generated, so no server is asked.
export default { schema: 'schema.prisma', datasource: { url: 'postgresql://unused' } };
