// From "Building an automated knowledge repo with Amazon EventBridge and Zendesk" (2020), which shows its functions as
// pictures and tells what they do: with axios, two fetch the ticket and the user, one publishes an article.
const axios = require('axios')

const auth = { username: `${process.env.ZenDeskUsername}/token`, password: process.env.ZenDeskPassword }
const url = (path) => `https://${process.env.ZenDeskDomain}.com/api/v2/${path}`

exports.ticket = async (event) => {
	const response = await axios.get(url(`tickets/${event.detail.ticket_event.ticket.id}.json`), { auth })
	return response.data.ticket
}

exports.user = async (event) => {
	const response = await axios.get(url(`users/${event.FullTicket.assignee_id}.json`), { auth })
	return response.data.user
}

exports.article = async (event) => {
	const article = { title: event.FullTicket.subject, body: event.detail.ticket_event.comment.body }
	const response = await axios({ method: 'post', url: url('articles.json'), auth, data: { article } })
	return { statusCode: response.status, body: { ...response.data, author: event.FullUser.name } }
}
