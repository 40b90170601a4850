// From "Invoking AWS Lambda from Amazon MQ" (2018). The post prints what is between the two lines; its quotation marks
// had become typographic, and a bracket behind `readString` was lost: both are put right here, nothing else is changed.
// Around it is what the post tells of: the connection's options, and an invocation that ends before its time-out.
const AWS = require('aws-sdk')
const stomp = require('stompit')

const MyWorkerFunction = process.env.WORKER_FUNCTION
const options = {
	host: process.env.HOST,
	port: Number(process.env.PORT),
	connectHeaders: { login: process.env.LOGIN, passcode: process.env.PASSWORD }
}

exports.handler = (event, context, callback) => {
	setTimeout(() => callback(null, { message: 'Finished' }), 4000)
	context.callbackWaitsForEmptyEventLoop = false
// ---------------------------------------------------------------------------------------------------------------------
stomp.connect(options, (error, client) => {
	if (error) { /* do something */ }

	let headers = {
		destination: '/queue/SAMPLE_QUEUE',
		ack: 'auto'
	}

	client.subscribe(headers, (error, message) => {
		if (error) { /* do something */ }

		message.readString('utf-8', (error, body) => {
			if (error) { /* do something */ }

			let params = {
				FunctionName: MyWorkerFunction,
				Payload: JSON.stringify({
					message: body,
					timestamp: Date.now()
				})
			}

			let lambda = new AWS.Lambda()
			lambda.invoke(params, (error, data) => {
				if (error) { /* do something */ }
			})
		})
})
})
// ---------------------------------------------------------------------------------------------------------------------
}
