// The worker of the same post keeps the message in a table: with version 2 of the SDK, as for Node.js 6.10.
const AWS = require('aws-sdk')

const table = new AWS.DynamoDB.DocumentClient()

exports.handler = (event, context, callback) => {
	const Item = { uuid: context.awsRequestId, message: event.message, sdk: 2 }
	table.put({ TableName: process.env.TABLE_NAME, Item }, callback)
}
