// The same with version 3, as for Node.js 22.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}))

export const handler = async (event, context) => {
	const Item = { uuid: context.awsRequestId, message: event.message, sdk: 3 }
	await table.send(new PutCommand({ TableName: process.env.TABLE_NAME, Item }))
}
